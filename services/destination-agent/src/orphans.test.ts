/*
 * Goal: an agent and a keeper that are killed together leave nothing behind, and no sweep ever hits a
 * guest that is being prepared. Method: the real program, real QEMUs, and SIGKILL for both; the agent
 * is frozen first, or it would see its keeper's end and kill the guest itself.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { guestRunDirectory, makeLogger, makeMetrics, Orphans, parseConfig } from "@ferry/agent-kit";
import {
  Accelerator,
  AgentServiceClient,
  DestinationServiceClient,
  GuestSpec,
  type ListOrphansResponse,
  type PrepareRequest,
  type PrepareResponse,
  Transport,
} from "@ferry/contract";
import { findTraces, type Trace } from "@ferry/qemu";
import { type ClientDuplexStream, credentials } from "@grpc/grpc-js";

const PROGRAM = fileURLToPath(new URL("./main.js", import.meta.url));
const QEMU = "/usr/bin/qemu-system-x86_64";
const BOUND_MS = 60_000;
const MIGRATION = "11111111-2222-4333-8444-555555555555";
const SPEC = GuestSpec.fromPartial({
  machineType: "pc-q35-7.2",
  cpuModel: "qemu64",
  memoryBytes: 32n * 1024n * 1024n,
});

/** A host whose destination agent can be started, killed, and asked. */
function testHost(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "fdo-"));
  const runDir = join(dir, "run");
  const config = join(dir, "agent.yaml");
  const [binary, gate] = [join(dir, "qemu"), join(dir, "gate")];
  // A QEMU that is only asked something is not held back: its arguments begin otherwise.
  const holdBack = `[ "$1" != -nodefaults ] || [ ! -p ${gate} ] || read -r go <${gate}`;
  writeFileSync(binary, `#!/bin/sh\n${holdBack}\nexec ${QEMU} "$@"\n`);
  chmodSync(binary, 0o700);
  const yaml = [
    "host_id: host-1",
    "plaintext: true",
    'listen: "127.0.0.1:0"',
    'metrics_listen: "127.0.0.1:0"',
    'health_listen: "127.0.0.1:0"',
    `state_dir: ${join(dir, "state")}`,
    `run_dir: ${runDir}`,
    `qemu: {accelerator: tcg, binary: ${binary}}`,
  ].join("\n");
  writeFileSync(config, yaml);
  let agent: ChildProcess | undefined;
  let log = "";
  const host = {
    dir,
    yaml,
    runDir,
    home: guestRunDirectory(runDir, MIGRATION),
    log: () => log,
    /** Answers a client for each of its services, when it takes calls. */
    async start() {
      log = "";
      const child = spawn(process.execPath, [PROGRAM, "--config", config], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      agent = child;
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          log += text;
        });
      }
      const address = await until(
        "it listens",
        () => /"address":"([0-9.:]+)","secure"/.exec(log)?.[1],
      );
      const agents = new AgentServiceClient(address, credentials.createInsecure());
      const destination = new DestinationServiceClient(address, credentials.createInsecure());
      const orphans = (sweep: boolean) =>
        new Promise<ListOrphansResponse>((resolve, reject) => {
          agents.listOrphans({ expectedAgentId: "", sweep }, (error, response) =>
            error === null ? resolve(response) : reject(error),
          );
        });
      await until("it takes calls", () => orphans(false).catch(() => undefined));
      return { destination, orphans };
    },
    /** The next QEMUs wait, before they are one, until what this answers is called. */
    holdBack(): () => void {
      execFileSync("mkfifo", [gate]);
      return () => {
        writeFileSync(gate, "go\n");
        rmSync(gate);
      };
    },
    /** SIGKILL for both; the guest's QEMU is left alone. */
    async killBoth(keeper: number): Promise<void> {
      agent?.kill("SIGSTOP");
      process.kill(keeper, "SIGKILL");
      await host.killAgent();
    },
    async killAgent(): Promise<void> {
      if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
      agent.kill("SIGKILL");
      await once(agent, "exit");
    },
    async trace(): Promise<Trace | undefined> {
      return (await findTraces({ runDir, cgroups: [] }))[0];
    },
  };
  t.after(async () => {
    await host.killAgent();
    await until("every process of it is gone", () => {
      const left = processesOf(dir);
      for (const pid of left) process.kill(pid, "SIGKILL");
      return left.length === 0 || undefined;
    });
    rmSync(dir, { recursive: true, force: true });
  });
  return host;
}

async function until<T>(what: string, look: () => T | undefined | Promise<T | undefined>) {
  const deadline = performance.now() + BOUND_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    assert.ok(performance.now() < deadline, `not within ${BOUND_MS} ms: ${what}`);
    await wait(5);
  }
}

function alive(pid: number): boolean {
  try {
    return /^State:\t[^ZX]/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false;
  }
}

/** Living processes whose command line names the directory. */
function processesOf(dir: string): number[] {
  const pids = readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name));
  return pids.map(Number).filter((pid) => alive(pid) && commandLineOf(pid).includes(dir));
}

function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}

/** Opens a tether. `prepared` resolves with the first word that it is, and rejects with its end. */
function prepare(destination: DestinationServiceClient, migrationId = MIGRATION) {
  const call: ClientDuplexStream<PrepareRequest, PrepareResponse> = destination.prepare();
  let ended = false;
  const prepared = new Promise<void>((resolve, reject) => {
    call.on("data", ({ event }: PrepareResponse) => {
      if (event?.$case === "prepared") resolve();
    });
    call.on("error", (error) => {
      ended = true;
      reject(error);
    });
  });
  prepared.catch(() => {}); // a test may not wait for it
  const description = {
    spec: { ...SPEC, guestId: `guest-${migrationId}` },
    sourceAgentId: "host-2/source",
    sourceHostId: "host-2",
    qemuVersion: "7.2.22",
    accelerator: Accelerator.TCG,
    cpuProperties: {},
    paused: false,
  };
  const open = {
    expectedAgentId: "",
    migrationId,
    description,
    transport: Transport.DIRECT,
    heartbeatIntervalMs: 0,
    network: "",
    validateOnly: false,
  };
  call.write({ message: { $case: "open", value: open } });
  return { prepared, ended: () => ended, cancel: () => call.cancel() };
}

/** A QEMU whose agent and keeper were killed while it started. */
async function abandoned(t: TestContext) {
  const host = testHost(t);
  const { destination } = await host.start();
  const letGo = host.holdBack();
  prepare(destination);
  const record = join(host.dir, "state", "arrivals", MIGRATION, "record.json");
  const keeper = await until("its keeper is there, and its record", async () => {
    if (!existsSync(record) || !existsSync(join(host.home, "processes.json"))) return undefined;
    return (await host.trace())?.keepers.find(({ phase }) => phase === "unfreed");
  });
  await host.killBoth(keeper.identity.pid);
  letGo();
  const qemu = await until("QEMU is up, and nobody's", async () => {
    return existsSync(join(host.home, "debug.qmp")) ? (await host.trace())?.qemus[0] : undefined;
  });
  return { host, qemu: qemu.identity.pid };
}

test("an arrival that was being prepared when its agent and its keeper were killed leaves nothing", async (t) => {
  const { host, qemu } = await abandoned(t);
  const { orphans } = await host.start();
  await until("it is gone", () => (!alive(qemu) && !existsSync(host.home)) || undefined);
  assert.deepEqual((await orphans(false)).orphans, []);
  assert.match(host.log(), /"to":"returned"/);
});

test("nor does one whose record was never written: it is swept at the start", async (t) => {
  const { host, qemu } = await abandoned(t);
  rmSync(join(host.dir, "state", "arrivals", MIGRATION), { recursive: true });
  rmSync(join(host.home, "processes.json"));
  const { orphans } = await host.start();
  assert.ok(!alive(qemu) && !existsSync(host.home));
  assert.match(host.log(), new RegExp(`"pid ${qemu}".*an orphan was swept`));
  assert.deepEqual((await orphans(false)).orphans, []);
});

test("guests that are prepared while both agents of the host sweep without a pause all live", async (t) => {
  const host = testHost(t);
  const { destination, orphans } = await host.start();
  // What the source agent of this host would do: it knows of no arrival but by its record.
  const config = parseConfig(host.yaml, "source");
  const log = makeLogger({ level: "fatal", base: {} }, { write: () => {} });
  const metrics = makeMetrics({ role: "source", process: false });
  const audit = { append: async () => {} };
  const other = new Orphans({ config, log, metrics, audit, inUse: () => [] });
  let over = false;
  let sweeps = 0;
  const sweeping = [() => orphans(true), () => other.sweep("alice")].map(async (sweep) => {
    while (!over) {
      await sweep();
      sweeps += 1;
    }
  });
  const ids = Array.from({ length: 6 }, (_, index) => MIGRATION.replace(/.$/, `${index}`));
  const tethers = ids.map((id) => prepare(destination, id));
  await Promise.all(tethers.map(({ prepared }) => prepared));
  const before = sweeps;
  await until("they were swept around again", () => sweeps > before + 4 || undefined);
  const traces = await findTraces({ runDir: host.runDir, cgroups: [] });
  assert.equal(
    traces.filter(({ qemus, keepers }) => qemus.length + keepers.length === 2).length,
    6,
  );
  assert.ok(tethers.every(({ ended }) => !ended()));
  for (const tether of tethers) tether.cancel();
  await until("nothing is left", async () => {
    return (await findTraces({ runDir: host.runDir, cgroups: [] })).length === 0 || undefined;
  });
  over = true;
  await Promise.all(sweeping);
  assert.doesNotMatch(host.log(), /orphan was swept/);
});
