/*
 * Goal: an agent and a keeper that are killed together leave nothing behind, and take nothing along
 * that lives here. Method: the real program, real QEMUs, and SIGKILL for both; the agent is frozen
 * first, or it would see its keeper's end and kill the guest itself.
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
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { guestRunDirectory } from "@ferry/agent-kit";
import {
  AgentServiceClient,
  GuestServiceClient,
  GuestSpec,
  GuestState,
  type ListOrphansResponse,
  type ListResponse,
} from "@ferry/contract";
import { findTraces, type Trace } from "@ferry/qemu";
import { credentials } from "@grpc/grpc-js";

const PROGRAM = fileURLToPath(new URL("./main.js", import.meta.url));
const QEMU = "/usr/bin/qemu-system-x86_64";
const BOUND_MS = 60_000;
const SPEC = GuestSpec.fromPartial({
  guestId: "web",
  machineType: "pc-q35-7.2",
  cpuModel: "qemu64",
  memoryBytes: 32n * 1024n * 1024n,
});

/** A host whose source agent can be started, killed, and asked. */
function testHost(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "fso-"));
  const runDir = join(dir, "run");
  const config = join(dir, "agent.yaml");
  const [binary, gate] = [join(dir, "qemu"), join(dir, "gate")];
  // A QEMU that is only asked something is not held back: its arguments begin otherwise.
  const holdBack = `[ "$1" != -nodefaults ] || [ ! -p ${gate} ] || read -r go <${gate}`;
  writeFileSync(binary, `#!/bin/sh\n${holdBack}\nexec ${QEMU} "$@"\n`);
  chmodSync(binary, 0o700);
  writeFileSync(
    config,
    [
      "host_id: host-1",
      "plaintext: true",
      'listen: "127.0.0.1:0"',
      'metrics_listen: "127.0.0.1:0"',
      'health_listen: "127.0.0.1:0"',
      `state_dir: ${join(dir, "state")}`,
      `run_dir: ${runDir}`,
      `qemu: {accelerator: tcg, binary: ${binary}}`,
    ].join("\n"),
  );
  let agent: ChildProcess | undefined;
  let log = "";
  const host = {
    dir,
    runDir,
    home: guestRunDirectory(runDir, "web"),
    record: join(dir, "state", "guests", "web"),
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
      const guests = new GuestServiceClient(address, credentials.createInsecure());
      const orphans = (sweep: boolean) =>
        new Promise<ListOrphansResponse>((resolve, reject) => {
          agents.listOrphans({ expectedAgentId: "", sweep }, (error, response) =>
            error === null ? resolve(response) : reject(error),
          );
        });
      await until("it takes calls", () => listGuests(guests).catch(() => undefined));
      return { guests, orphans };
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

function startGuest(guests: GuestServiceClient): Promise<unknown> {
  return new Promise((resolve, reject) => {
    guests.start({ expectedAgentId: "", spec: SPEC, paused: false }, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}

function listGuests(guests: GuestServiceClient): Promise<ListResponse> {
  return new Promise((resolve, reject) => {
    guests.list({ expectedAgentId: "" }, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}

function getGuest(guests: GuestServiceClient) {
  return new Promise<GuestState | undefined>((resolve) => {
    guests.get({ expectedAgentId: "", guestId: "web" }, (_error, response) =>
      resolve(response?.guest?.state),
    );
  });
}

/** A paused QEMU in the run directory of "web", whose agent and keeper are dead. Answers its pid. */
async function leaveOrphan(host: ReturnType<typeof testHost>): Promise<number> {
  const { guests } = await host.start();
  const letGo = host.holdBack();
  startGuest(guests).catch(() => {}); // its agent dies before it answers
  const keeper = await until("its keeper is there", async () => {
    return (await host.trace())?.keepers.find(({ phase }) => phase === "unfreed");
  });
  await host.killBoth(keeper.identity.pid);
  letGo();
  const qemu = await until("QEMU is up, and nobody's", async () => {
    return existsSync(join(host.home, "debug.qmp")) ? (await host.trace())?.qemus[0] : undefined;
  });
  return qemu.identity.pid;
}

test("a guest that lives here is not touched, though its agent and its keeper were killed", async (t) => {
  const host = testHost(t);
  const { guests } = await host.start();
  await startGuest(guests);
  const trace = await host.trace();
  const [keeper, qemu] = [trace?.keepers[0]?.identity.pid, trace?.qemus[0]?.identity.pid];
  assert.ok(keeper !== undefined && qemu !== undefined);
  await host.killBoth(keeper);
  const again = await host.start();
  assert.deepEqual((await again.orphans(true)).orphans, []);
  assert.ok(alive(qemu) && existsSync(host.home));
  assert.equal(await getGuest(again.guests), GuestState.RUNNING);
  assert.doesNotMatch(host.log(), /orphan/);
});

test("a Start whose agent and keeper were killed leaves a paused QEMU, which is swept at the start", async (t) => {
  const host = testHost(t);
  const pid = await leaveOrphan(host);
  const record = readFileSync(join(host.record, "record.json"), "utf8");
  assert.ok(!record.includes("processes"), "its record does not know its QEMU yet");

  const again = await host.start();
  assert.deepEqual((await again.orphans(false)).orphans, []); // the start's own sweep came first
  assert.ok(!alive(pid) && !existsSync(host.home));
  assert.match(host.log(), new RegExp(`"pid ${pid}".*an orphan was swept`));
  await startGuest(again.guests);
  assert.equal(await getGuest(again.guests), GuestState.RUNNING);
});

test("guests are told of while the sweep is not over; one that is to be started waits for its end", async (t) => {
  const host = testHost(t);
  const pid = await leaveOrphan(host);
  rmSync(host.record, { recursive: true });
  // Whoever wants to know who lived in the directory waits until somebody writes.
  const processes = join(host.home, "processes.json");
  rmSync(processes, { force: true });
  execFileSync("mkfifo", [processes]);

  const { guests, orphans } = await host.start();
  assert.deepEqual((await listGuests(guests)).guests, []);
  const starting = startGuest(guests);
  await until("the orphan is ended", () => !alive(pid) || undefined);
  assert.doesNotMatch(host.log(), /an orphan was/);
  await writeFile(processes, "");
  await starting;
  assert.match(host.log(), new RegExp(`"${host.home}".*an orphan was swept`));
  assert.deepEqual((await orphans(false)).orphans, []);
  assert.equal(await getGuest(guests), GuestState.RUNNING);
});
