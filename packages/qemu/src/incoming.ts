/*
 * The incoming side of a migration: QEMU listens, receives, and stands still with a loaded guest.
 * It has no timeout of any kind; only its tether and its agent's deadlines clean it up.
 */
import { createServer } from "node:net";
import type { Qmp, QmpEvent } from "@ferry/qmp";
import {
  addCredentials,
  CREDENTIALS,
  setCapabilitiesOfNew,
  setParameters,
} from "./capabilities.js";
import { type Endpoint, keyDirOf, toUri } from "./endpoint.js";
import { look } from "./vcpu.js";

/**
 * `return-path`: the source hears that everything arrived. `late-block-activate`: a loaded guest does
 * not lock its disks before `cont`, so that the source can still take it back.
 */
const WANTED = ["events", "return-path", "late-block-activate"] as const;

/** Somebody else on this machine has the port: take another one. */
export class PortTaken extends Error {
  override readonly name = "PortTaken";
}

export type IncomingNews =
  | { readonly kind: "loaded" }
  | { readonly kind: "failed"; readonly reason: string }
  /** The guest runs; host's wall clock, microseconds since 1970. */
  | { readonly kind: "resumed"; readonly atUs: number };

/** Lets QEMU, launched with `-incoming defer`, listen. May be called again after PortTaken. */
export async function openIncoming(qmp: Qmp, endpoint: Endpoint): Promise<void> {
  const keyDir = keyDirOf(endpoint);
  // Found out before QEMU tries: a newer one (seen: 10.0, 11.1) that tried in vain never listens again.
  const [taken] = await Promise.all([
    endpoint.kind === "tcp" && isTaken(endpoint),
    setCapabilitiesOfNew(qmp, WANTED),
    keyDir !== undefined && encrypt(qmp, keyDir),
  ]);
  if (taken) throw new PortTaken(`a port that QEMU should listen on is taken: ${toUri(endpoint)}`);
  const uri = toUri(endpoint);
  // A QEMU that can be told to survives a failed load, so that it can say why; an older one exits, and
  // says it on its standard error.
  await qmp.execute(
    "migrate-incoming",
    survivesFailedLoad(qmp) ? { uri, "exit-on-error": false } : { uri },
  );
}

/** Nothing else may connect: both are said before QEMU listens, and QEMU takes them in this order. */
async function encrypt(qmp: Qmp, keyDir: string): Promise<void> {
  await Promise.all([
    addCredentials(qmp, "server", keyDir),
    setParameters(qmp, { "tls-creds": CREDENTIALS.server }),
  ]);
}

/** qapi/migration.json: `exit-on-error` is there since 9.1. (Its schema tells, too, in 186 kB and 60 ms.) */
function survivesFailedLoad({ version }: Qmp): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 9 || (major === 9 && minor >= 1);
}

/** Whether somebody listens there. An address that is no good for another reason is QEMU's to refuse. */
function isTaken({ host, port }: { host: string; port: number }): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code === "EADDRINUSE"));
    server.listen({ host: host.replace(/^\[(.*)\]$/, "$1"), port, exclusive: true }, () =>
      server.close(() => resolve(false)),
    );
  });
}

/** Tells what happens to the guest that arrives. Answers how to stop it. */
export function watchIncoming(qmp: Qmp, tell: (news: IncomingNews) => void): () => void {
  const hear = ({ event, data, timestamp }: QmpEvent) => {
    if (event === "RESUME") {
      tell({ kind: "resumed", atUs: timestamp.seconds * 1e6 + timestamp.microseconds });
    }
    if (event !== "MIGRATION") return;
    if (data.status === "completed") tell({ kind: "loaded" });
    if (data.status === "failed") {
      void describeFailure(qmp).then((reason) => tell({ kind: "failed", reason }));
    }
  };
  qmp.on("event", hear);
  return () => qmp.off("event", hear);
}

/** How far the guest is: an event may have been lost. */
export async function lookIncoming(qmp: Qmp): Promise<"waiting" | "loaded" | "failed"> {
  const { status } = await query(qmp);
  if (status === "failed") return "failed";
  if (status !== "completed") return "waiting";
  return (await look(qmp)).status === "inmigrate" ? "waiting" : "loaded";
}

async function describeFailure(qmp: Qmp): Promise<string> {
  try {
    return (
      (await query(qmp))["error-desc"] ?? "QEMU could not load the guest, and does not say why"
    );
  } catch {
    return "QEMU could not load the guest"; // an older QEMU exits now; its log says why
  }
}

/** qapi/migration.json: MigrationInfo. An incoming migration that has not begun has no status. */
async function query(qmp: Qmp): Promise<{ status?: string; "error-desc"?: string }> {
  return (await qmp.execute("query-migrate")) as { status?: string; "error-desc"?: string };
}
