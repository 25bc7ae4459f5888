/*
 * What both ends of a migration set before it and put back after it. QEMU is asked what it has: it
 * may know capabilities nobody here has heard of, and lack ones that an older or newer one has.
 *
 * Few bytes are sent: QEMU's monitor takes its commands in byte by byte (monitor/monitor.c:
 * monitor_can_read), each in a turn of its own, which was measured to cost it 10 µs a byte.
 */
import { type Arguments, type Qmp, QmpError } from "@ferry/qmp";

/** A migration's two ends. A guest that has arrived still has the one's credentials when it leaves with the other's. */
type End = "server" | "client";

/** The name of an end's credentials object in its QEMU, for the parameter `tls-creds`. */
export const CREDENTIALS: Readonly<Record<End, string>> = {
  server: "ferry-server",
  client: "ferry-client",
};

interface Capability {
  readonly capability: string;
  readonly state: boolean;
}

/**
 * Sets the whole list: the wanted ones on (where QEMU has them), every other one off, so that nothing
 * an earlier migration left behind has a say. Only those are named that are not so already: the whole
 * list was measured to take QEMU 6 to 13 ms.
 */
export async function setCapabilities(qmp: Qmp, wanted: readonly string[]): Promise<void> {
  const known = (await qmp.execute("query-migrate-capabilities")) as Capability[]; // qapi/migration.json
  const wrong = known.filter(({ capability, state }) => state !== wanted.includes(capability));
  if (wrong.length === 0) return;
  await qmp.execute("migrate-set-capabilities", {
    capabilities: wrong.map(({ capability, state }) => ({ capability, state: !state })),
  });
}

/** The same of a QEMU that was just started, where nothing is to be switched off: so it is not asked first. */
export async function setCapabilitiesOfNew(qmp: Qmp, wanted: readonly string[]): Promise<void> {
  const capabilities = wanted.map((capability) => ({ capability, state: true }));
  try {
    await qmp.execute("migrate-set-capabilities", { capabilities });
  } catch (error) {
    if (!(error instanceof QmpError)) throw error;
    await setCapabilities(qmp, wanted); // it lacks one of them, and says which it has
  }
}

export async function setParameters(qmp: Qmp, parameters: Arguments): Promise<void> {
  await qmp.execute("migrate-set-parameters", parameters);
}

/** Gives QEMU the key in `dir`. It is used once the parameter `tls-creds` names it. */
export async function addCredentials(qmp: Qmp, end: End, dir: string): Promise<void> {
  const credentials = {
    "qom-type": "tls-creds-psk",
    id: CREDENTIALS[end],
    endpoint: end,
    dir,
    // The client's name for itself; a server takes every name that its file has.
    ...(end === "client" ? { username: "qemu" } : {}),
  };
  try {
    await qmp.execute("object-add", credentials);
  } catch (error) {
    if (!(error instanceof QmpError)) throw error;
    await dropCredentials(qmp, end); // an earlier migration's, whose name is taken
    await qmp.execute("object-add", credentials);
  }
}

export async function dropCredentials(qmp: Qmp, end: End): Promise<void> {
  try {
    await qmp.execute("object-del", { id: CREDENTIALS[end] });
  } catch (error) {
    if (!(error instanceof QmpError)) throw error; // there was none
  }
}
