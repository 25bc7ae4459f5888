/*
 * Goal: what nobody owns is swept, and nothing else is touched: not what a record names, not what an
 * agent is about to write down, not what may run. Method: real QEMUs under real keepers, their keepers
 * killed, and real records of both agents.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { Fault, OrphanKind } from "@ferry/contract";
import {
  commandLine,
  cont,
  installKeeper,
  type Keeper,
  launchQemu,
  makeRunDirectory,
} from "@ferry/qemu";
import { connect } from "@ferry/qmp";
import { type AuditEntry, Endings, Folders, realDisk } from "@ferry/store";
import type { PeerIdentity } from "./identity.js";
import { makeLogger } from "./logs.js";
import { makeMetrics } from "./metrics.js";
import { Orphans } from "./orphans.js";
import { orphansHandler } from "./orphans-handler.js";
import type { Role } from "./policy.js";
import { type EndingRecord, endingFormat, type GuestRecord, guestFormat } from "./records.js";
import { guestRunDirectory } from "./run-directory.js";

const QEMU = "/usr/bin/qemu-system-x86_64";
const BOUND_MS = 20_000;
const MIGRATION = "11111111-2222-4333-8444-555555555555";

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + BOUND_MS;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `not within ${BOUND_MS} ms: ${what}`);
    await wait(2);
  }
}

function alive(pid: number): boolean {
  try {
    return /^State:\t[^ZX]/m.test(readFileSync(`/proc/${pid}/status`, "latin1"));
  } catch {
    return false;
  }
}

/** A host's directories, and guests in them. `used` is what the agent says it uses; `youngMs` as in OrphansHost. */
async function testHost(t: TestContext, youngMs = 0) {
  const dir = await mkdtemp(join(tmpdir(), "fo-"));
  const [stateDir, runDir] = [join(dir, "state"), join(dir, "run")];
  const keeperPath = await installKeeper(runDir);
  const launched: Keeper[] = [];
  t.after(async () => {
    await Promise.all(launched.map((keeper) => keeper.kill()));
    await rm(dir, { recursive: true, force: true });
  });
  const audited: AuditEntry[] = [];
  const metrics = makeMetrics({ role: "source", process: false });
  const used: string[] = [];
  const qemu = {
    bundle: undefined,
    user: undefined,
    binary: QEMU,
    accelerator: "tcg" as const,
    cgroups: [],
    sandbox: true,
    allowedPaths: [],
  };
  const orphans = new Orphans({
    config: { stateDir, runDir, qemu },
    log: makeLogger({ level: "fatal", base: {} }, { write: () => {} }),
    metrics,
    audit: {
      append: async (entry) => {
        audited.push(entry);
        await host.between?.();
      },
    },
    inUse: () => used,
    youngMs,
  });
  const collection = (name: string) =>
    new Folders<GuestRecord>({
      disk: realDisk,
      role: "source",
      path: join(stateDir, name),
      format: guestFormat,
    });
  const recordOf = (id: string): GuestRecord => ({
    guest: {
      spec: specOf(id),
      runDir: guestRunDirectory(runDir, id),
      qemuVersion: "7.2.22",
      accelerator: "tcg",
      cpuProperties: {},
      paused: false,
      since: new Date().toISOString(),
    },
  });
  const host = {
    stateDir,
    runDir,
    orphans,
    audited,
    /** Happens after an operator's sweep has looked, and before it looks again. */
    between: undefined as (() => Promise<void>) | undefined,
    metrics,
    used,
    async record(name: string, id: string): Promise<void> {
      await mkdir(join(stateDir, name), { recursive: true });
      await collection(name).create(id, recordOf(id));
    },
    forget: (name: string, id: string) => collection(name).remove(id),
    async ended(migrationId: string, phase: string): Promise<void> {
      const path = join(stateDir, "endings");
      const format = endingFormat;
      const endings = new Endings({ disk: realDisk, role: "destination", path, format });
      const ending: EndingRecord = {
        migrationId,
        guestId: "web",
        phase,
        peerAgentId: "b/source",
        arrival: "1",
        transport: "direct",
        startedAt: new Date().toISOString(),
      };
      const [, bytes] = endings.beforehand(migrationId, phase, ending);
      await mkdir(path, { recursive: true });
      await writeFile(join(path, `${migrationId}.destination.json`), bytes);
    },
    /** A paused guest. `lost`: its keeper is killed, as with its agent. */
    async launch(id: string, lost = true): Promise<Keeper & { runDir: string }> {
      const home = guestRunDirectory(runDir, id);
      await makeRunDirectory(home);
      const keeper = await launchQemu({
        runDir: home,
        binary: QEMU,
        keeperPath,
        cgroups: [],
        argv: commandLine(specOf(id), {
          accelerator: "tcg",
          runDir: home,
          monitors: ["source.qmp", "debug.qmp"],
          incoming: false,
          paused: true,
          sandbox: true,
        }),
      });
      launched.push(keeper);
      await until(() => existsSync(join(home, "debug.qmp")), "QEMU is up");
      if (lost) {
        process.kill(keeper.keeper.pid, "SIGKILL");
        await until(() => !alive(keeper.keeper.pid), "its keeper is gone");
      }
      return Object.assign(keeper, { runDir: home });
    },
  };
  return host;
}

function specOf(guestId: string): GuestRecord["guest"]["spec"] & { accelerator: "tcg" } {
  return {
    guestId,
    machineType: "pc-q35-7.2",
    cpuModel: "qemu64",
    vcpus: 1,
    memoryBytes: 32 * 1024 * 1024,
    disks: [],
    nics: [],
    boot: { kind: "disk" },
    accelerator: "tcg",
  };
}

test("a paused QEMU whose keeper is dead and that no record names is listed, then swept", async (t) => {
  const host = await testHost(t, BOUND_MS * 10); // young as it is, nobody can be launching it
  const { qemu, runDir } = await host.launch("web");
  const listed = await host.orphans.list();
  assert.deepEqual(
    listed.map(({ kind, subject, swept, keptBecause }) => [kind, subject, swept, keptBecause]),
    [
      ["process", `pid ${qemu.pid}`, false, ""],
      ["run_directory", runDir, false, ""],
    ],
  );
  assert.match(listed[0]?.reason ?? "", /its keeper is gone; its guest never ran/);
  assert.ok(alive(qemu.pid));
  assert.match(await host.metrics.registry.metrics(), /ferry_orphans\{kind="process"\} 1/);

  const swept = await host.orphans.sweep(undefined);
  assert.deepEqual(
    swept.map((each) => each.swept),
    [true, true],
  );
  assert.ok(!alive(qemu.pid) && !existsSync(runDir));
  assert.deepEqual(await host.orphans.list(), []);
  assert.match(await host.metrics.registry.metrics(), /ferry_orphans\{kind="process"\} 0/);
});

for (const where of ["guests", "arrivals", "memory"]) {
  test(`a QEMU that ${where === "memory" ? "its agent uses" : `a record in ${where}/ names`} is never listed nor touched`, async (t) => {
    const host = await testHost(t);
    const { qemu, runDir } = await host.launch("web");
    if (where === "memory") host.used.push(runDir);
    else await host.record(where, "web");
    assert.deepEqual(await host.orphans.sweep("alice"), []);
    assert.ok(alive(qemu.pid) && existsSync(runDir));
    assert.deepEqual(host.audited, []);
    if (where === "memory") return;
    await host.forget(where, "web"); // it was the record that held it
    assert.equal((await host.orphans.list()).length, 2);
  });
}

test("a record that another agent writes between the look and the deed saves its guest", async (t) => {
  const host = await testHost(t);
  const { qemu, runDir } = await host.launch("web");
  host.between = () => host.record("arrivals", "web"); // a sweep is written down before it is done
  assert.deepEqual(await host.orphans.sweep("alice"), []);
  assert.equal(host.audited.length, 1);
  assert.ok(alive(qemu.pid) && existsSync(runDir));
});

test("what takes an orphan's name between the look and the deed is left alone", async (t) => {
  const host = await testHost(t);
  const path = guestRunDirectory(host.runDir, "web");
  await makeRunDirectory(path);
  host.between = () => makeRunDirectory(path); // a guest is started again
  assert.deepEqual(await host.orphans.sweep("alice"), []);
  assert.ok(existsSync(path));
});

test("a guest that runs, or may have run, is told and never ended, not even for an operator", async (t) => {
  const host = await testHost(t);
  const { qemu, runDir } = await host.launch("web");
  const qmp = await connect(join(runDir, "source.qmp"), { timeoutMs: 5_000 });
  assert.equal(await cont(qmp), "ran");
  const running = await host.orphans.sweep("alice");
  await qmp.execute("stop");
  qmp.close();
  const stopped = await host.orphans.sweep("alice");
  for (const found of [running, stopped]) {
    assert.equal(found.length, 2);
    for (const { swept, keptBecause } of found) {
      assert.ok(!swept);
      assert.match(keptBecause, new RegExp(`only copy.*kill -KILL ${qemu.pid}`));
    }
  }
  assert.ok(alive(qemu.pid) && existsSync(runDir));
});

test("a keeper that lives keeps its guest: guarded for an agent, or freed and so somebody's", async (t) => {
  const host = await testHost(t);
  const guarded = await host.launch("guarded", false);
  const freed = await host.launch("freed", false);
  freed.free();
  const found = await host.orphans.sweep("alice");
  assert.ok(alive(guarded.qemu.pid) && alive(freed.qemu.pid));
  assert.equal(found.filter(({ swept }) => swept).length, 0);
  const why = (pid: number) => found.find(({ subject }) => subject === `pid ${pid}`)?.keptBecause;
  assert.match(why(guarded.qemu.pid) ?? "", /guards it for an agent/);
  assert.match(why(freed.qemu.pid) ?? "", /it was freed, so its guest was somebody's/);
});

test("while one record cannot be read nothing is swept, and the record is listed and stays", async (t) => {
  const host = await testHost(t);
  const { qemu } = await host.launch("web");
  await host.record("guests", "db");
  const torn = join(host.stateDir, "guests", "db", "record.json");
  await writeFile(torn, '{"format":"ferry.guest","version":2,"sha256":""}\n{}\n');
  const found = await host.orphans.sweep("alice");
  assert.ok(alive(qemu.pid));
  const [process, , record] = found;
  assert.equal(process?.keptBecause, `${torn} cannot be read, and may own it`);
  assert.deepEqual([record?.kind, record?.subject, record?.swept], ["record", torn, false]);
  assert.match(record?.reason ?? "", /format version 2/);
  assert.equal(record?.keptBecause, "a person decides");
  assert.ok(existsSync(torn));
  await rm(join(host.stateDir, "guests", "db"), { recursive: true });
  assert.ok((await host.orphans.sweep("alice")).every(({ swept }) => swept));
  assert.ok(!alive(qemu.pid));
});

test("a directory in which nothing lives is left while it is young", async (t) => {
  const host = await testHost(t, BOUND_MS * 10);
  const path = guestRunDirectory(host.runDir, "web");
  await makeRunDirectory(path);
  assert.deepEqual(await host.orphans.sweep("alice"), []);
  assert.ok(existsSync(path));
});

test("a directory in which nothing lives is swept when it is not, and others in run_dir never", async (t) => {
  const host = await testHost(t);
  const path = guestRunDirectory(host.runDir, "web");
  await makeRunDirectory(path);
  await mkdir(join(host.runDir, "somebody-elses"));
  const [found, ...others] = await host.orphans.sweep("alice");
  assert.deepEqual([found?.subject, found?.swept, others], [path, true, []]);
  assert.ok(!existsSync(path) && existsSync(join(host.runDir, "somebody-elses")));
  assert.deepEqual(host.audited, [
    {
      what: "sweep",
      who: "alice",
      migrationId: "",
      guestId: "",
      reason: `nobody owns ${path}`,
    },
  ]);
});

test("a perished guest's QEMU is a person's to end; once it is, an operator sweeps what it left", async (t) => {
  const host = await testHost(t);
  await host.ended(MIGRATION, "perished");
  const { qemu, runDir } = await host.launch(MIGRATION);
  const [process_] = await host.orphans.sweep("alice");
  assert.match(process_?.reason ?? "", /migration 11111111-.* of guest web ended \(perished\)/);
  assert.match(process_?.keptBecause ?? "", /perished, and a person decides/);
  process.kill(qemu.pid, "SIGKILL");
  await until(() => !alive(qemu.pid), "it is gone");
  const [kept] = await host.orphans.sweep(undefined);
  assert.equal(kept?.swept, false);
  const [left] = await host.orphans.sweep("alice");
  assert.deepEqual([left?.subject, left?.swept], [runDir, true]);
});

test("everybody may list; over certificates only an operator may sweep", async (t) => {
  const host = await testHost(t);
  const { qemu } = await host.launch("web");
  const handler = orphansHandler(host.orphans, "a/source");
  const call = (sweep: boolean, peer: PeerIdentity, expectedAgentId = "") =>
    handler({ sweep, expectedAgentId }, { peer });
  const client = caller("carol", ["controller"]);
  const listed = await call(false, client);
  assert.deepEqual(
    [listed.agentId, listed.orphans.map(({ kind }) => kind)],
    ["a/source", [OrphanKind.PROCESS, OrphanKind.RUN_DIRECTORY]],
  );
  for (const peer of [client, caller("b", ["agent"])]) {
    await assert.rejects(
      call(true, peer),
      (error) => error instanceof Fault && error.reason === "FORBIDDEN",
    );
  }
  await assert.rejects(
    call(true, caller("alice", ["operator"]), "a/destination"),
    (error) => error instanceof Fault && error.reason === "WRONG_HOST",
  );
  assert.ok(alive(qemu.pid));
  const swept = await call(true, caller("alice", ["operator"]));
  assert.ok(swept.orphans.every((each) => each.swept));
  assert.equal(host.audited[0]?.who, "alice");
});

function caller(name: string, roles: readonly Role[]): PeerIdentity {
  return { kind: "certificate", name, roles, hostId: undefined, policy: "a test's" };
}
