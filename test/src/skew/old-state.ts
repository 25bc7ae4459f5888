/* State directories of an earlier release, and agents of this one that are started on them. */
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeLogger, parseConfig } from "@ferry/agent-kit";
import { startDestinationAgent } from "@ferry/destination-agent";
import { startSourceAgent } from "@ferry/source-agent";

const FIXTURES = fileURLToPath(new URL("../../fixtures/state-0.1.0/", import.meta.url));

export type OldHost = "host-1" | "host-2";
export type OldRole = "source" | "destination";

/** Copies a host's old state to `dir`/state. */
export function layOut(host: OldHost, dir: string): string {
  const state = join(dir, "state");
  cpSync(join(FIXTURES, host), state, { recursive: true });
  const now = new Date();
  for (const path of filesIn(state)) utimesSync(path, now, now); // an ending's age is its file's
  return state;
}

export function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** Changes a record as some other release would have written it. */
export function rewrite(
  path: string,
  change: (body: Record<string, unknown>) => Record<string, unknown>,
  version?: number,
): void {
  const [first = "", line = ""] = readFileSync(path, "utf8").split("\n");
  const head = JSON.parse(first) as { version: number };
  const body = JSON.stringify(change(JSON.parse(line)));
  const sha256 = createHash("sha256").update(body).digest("hex");
  const next = { ...head, version: version ?? head.version, sha256 };
  writeFileSync(path, `${JSON.stringify(next)}\n${body}\n`);
}

/** Starts an agent of that host in this process. */
export function startOn(host: OldHost, role: OldRole, dir: string, allowedPaths: string[] = []) {
  const runDir = join(dir, "run");
  mkdirSync(runDir, { recursive: true });
  const config = {
    host_id: host,
    listen: "127.0.0.1:0",
    metrics_listen: "127.0.0.1:0",
    health_listen: "127.0.0.1:0",
    state_dir: join(dir, "state"),
    run_dir: runDir,
    plaintext: true,
    qemu: { accelerator: "tcg", allowed_paths: ["/srv/ferry", ...allowedPaths] },
    limits: { memory_reserve_bytes: 0 },
    migration: { listen_host: "127.0.0.1", advertise_host: "127.0.0.1" },
  };
  const log = makeLogger({ level: "fatal", base: {} }, { write: () => {} });
  const start = role === "source" ? startSourceAgent : startDestinationAgent;
  return start(parseConfig(JSON.stringify(config), role), { log, processMetrics: false });
}
