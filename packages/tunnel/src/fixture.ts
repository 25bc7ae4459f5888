/*
 * What the tests and the benchmark share: a directory that goes away, two agents' certificates, and a pair
 * of pumps with a plain socket at each end in the two QEMUs' place.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Security } from "./security.js";
import { startTunnel } from "./tunnel.js";

/** Whatever can be told to tidy up afterwards: a test's context. */
export interface Afterwards {
  after(tidy: () => unknown): void;
}

export const PLAINTEXT: Security = { kind: "plaintext" };
export const MIGRATION = {
  migrationId: "6f1c2f5e-8d3b-4f7a-9f0e-2b8f3c9d7a11",
  key: "5ec2e7".repeat(8),
};

export function temporaryDirectory(test: Afterwards): string {
  const directory = mkdtempSync(join(tmpdir(), "ferry-tunnel-"));
  test.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A socket in the place of a QEMU that waits for its migration. */
export async function incomingQemu(test: Afterwards, path: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }).listen(path);
  await once(server, "listening");
  test.after(() => server.close());
  return server;
}

/** `[source's, destination's]` security. */
type Securities = readonly [Security, Security];

/** Both pumps, the destination's QEMU connected, the source's not yet. */
export async function openPumps(
  test: Afterwards,
  [near, far]: Securities = [PLAINTEXT, PLAINTEXT],
) {
  const directory = temporaryDirectory(test);
  const incoming = join(directory, "incoming");
  const outgoing = join(directory, "outgoing");
  const qemu = await incomingQemu(test, incoming);
  const connected = once(qemu, "connection");
  const accept = await startTunnel({
    role: "accept",
    listen: { host: "127.0.0.1", ports: [0] },
    connectPath: incoming,
    security: far,
    ...MIGRATION,
  });
  test.after(() => accept.stop());
  const dial = await startTunnel({
    role: "dial",
    listenPath: outgoing,
    address: { host: "127.0.0.1", port: accept.port },
    security: near,
    ...MIGRATION,
  });
  test.after(() => dial.stop());
  const [destination] = (await connected) as [Socket];
  destination.on("error", () => {}); // `close` tells enough
  test.after(() => destination.destroy());
  return { accept, dial, destination, directory, outgoing };
}

/** Both pumps, and a socket in the place of each QEMU. */
export async function openPair(test: Afterwards, securities?: Securities) {
  const pumps = await openPumps(test, securities);
  const source = connect({ path: pumps.outgoing, allowHalfOpen: true });
  await once(source, "connect");
  source.on("error", () => {});
  test.after(() => source.destroy());
  return { ...pumps, source };
}

/** Looks again and again until something is so, or says what was waited for in vain. */
export async function until(what: string, isSo: () => boolean, boundMs = 20_000): Promise<void> {
  const end = Date.now() + boundMs;
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`in vain: ${what}`);
    await pause(5);
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The most memory a process has had so far, in MiB. */
export function peakMebibytes(pid: number): number {
  const kibibytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kibibytes) / 1024;
}

export interface Authority {
  /** What the agent of host `own` uses to speak with the agent of host `peer`. */
  security(own: string, peer: string): Security;
}

/** A certificate authority, made by openssl. */
export function authority(directory: string, name = "ca"): Authority {
  const at = (file: string) => join(directory, `${name}-${file}`);
  const pem = (file: string) => readFileSync(at(file), "utf8");
  const uri = (host: string) => `ferry://agent/${host}`;
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const make = (file: string, ...more: string[]) => {
    const subject = ["-days", "2", "-subj", `/CN=${file}`];
    const files = ["-keyout", at(`${file}.key`), "-out", at(file)];
    execFileSync("openssl", ["req", "-x509", ...key, ...subject, ...files, ...more], {
      stdio: "pipe",
    });
  };
  make("root");
  return {
    security(own, peer) {
      const signed = ["-CA", at("root"), "-CAkey", at("root.key")];
      make(own, ...signed, "-addext", `subjectAltName=URI:${uri(own)}`);
      const [cert, key, ca] = [pem(own), pem(`${own}.key`), pem("root")];
      return { kind: "tls", cert, key, ca, peer, hostNames: [`URI:${uri("(.+)")}`] };
    },
  };
}
