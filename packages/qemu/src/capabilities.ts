/*
 * What both ends of a migration set before it and put back after it. QEMU is asked what it has: it
 * may know capabilities nobody here has heard of, and lack ones that an older or newer one has.
 */
import { type Arguments, type Qmp, QmpError } from "@ferry/qmp";

/** The one credentials object of a QEMU: a guest is in one migration at a time. */
const CREDENTIALS = "ferry-psk";

interface Capability {
  readonly capability: string;
  readonly state: boolean;
}

/**
 * Sets the whole list: the wanted ones on (where QEMU has them), every other one off, so that nothing
 * an earlier migration left behind has a say. Only those are named that are not so already: QEMU's
 * monitor reads its commands byte by byte (monitor/monitor.c: monitor_can_read), and the whole list
 * was measured to take it 6 to 13 ms, at either end of every migration.
 */
export async function setCapabilities(qmp: Qmp, wanted: readonly string[]): Promise<void> {
  const known = (await qmp.execute("query-migrate-capabilities")) as Capability[]; // qapi/migration.json
  const wrong = known.filter(({ capability, state }) => state !== wanted.includes(capability));
  if (wrong.length === 0) return;
  await qmp.execute("migrate-set-capabilities", {
    capabilities: wrong.map(({ capability, state }) => ({ capability, state: !state })),
  });
}

export async function setParameters(qmp: Qmp, parameters: Arguments): Promise<void> {
  await qmp.execute("migrate-set-parameters", parameters);
}

/**
 * Encrypts the next migration with the key in `dir`, or with nothing. Answers the parameters that
 * say so; without a key they are empty text, since one left over would be used.
 */
export async function setCredentials(
  qmp: Qmp,
  endpoint: "client" | "server",
  dir: string | undefined,
): Promise<Arguments> {
  if (dir === undefined) {
    await dropCredentials(qmp);
    return { "tls-creds": "", "tls-hostname": "" };
  }
  const credentials = {
    "qom-type": "tls-creds-psk",
    id: CREDENTIALS,
    endpoint,
    dir,
    // The client's name for itself; a server takes every name that its file has.
    ...(endpoint === "client" ? { username: "qemu" } : {}),
  };
  try {
    await qmp.execute("object-add", credentials);
  } catch (error) {
    if (!(error instanceof QmpError)) throw error;
    await dropCredentials(qmp); // an earlier migration's, whose name is taken
    await qmp.execute("object-add", credentials);
  }
  return { "tls-creds": CREDENTIALS, "tls-hostname": "" };
}

export async function dropCredentials(qmp: Qmp): Promise<void> {
  try {
    await qmp.execute("object-del", { id: CREDENTIALS });
  } catch (error) {
    if (!(error instanceof QmpError)) throw error; // there was none
  }
}
