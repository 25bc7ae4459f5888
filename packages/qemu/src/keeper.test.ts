/*
 * Goal: a guest that was not freed never outlives its agent, one that was freed always does, and
 * "killed" means reaped. Method: real QEMUs under real keepers; agents, keepers and QEMUs are killed
 * and frozen in every order that matters.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  watch,
  writeFileSync,
  writeSync,
} from "node:fs";
import { appendFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { adoptQemu } from "./adopt.js";
import type { ProcessIdentity } from "./identity.js";
import { Kept } from "./keeper.js";
import { fifoPath, lastWordPath } from "./run-directory.js";
import { alive, testHost, until } from "./test-host.js";

interface Pair {
  readonly keeper: ProcessIdentity;
  readonly qemu: ProcessIdentity;
}

test("a guest that was not freed is killed, reaped, and tells how", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a");

  await keeper.kill();

  const death = await keeper.reaped;
  assert.deepEqual(
    { signal: death.signal, freed: death.freed },
    { signal: "SIGKILL", freed: false },
  );
  assert.equal(alive(keeper.qemu.pid), false);
});

test("whatever keeps its agent busy, a guest that is to be killed dies", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a");
  const deadline = performance.now() + 30_000;

  const killed = keeper.kill();
  while (alive(keeper.qemu.pid)) {
    // No other turn of ours comes to pass meanwhile: the word was out before.
    assert.ok(performance.now() < deadline, "it lives on");
  }

  await killed;
  assert.equal((await keeper.reaped).signal, "SIGKILL");
});

test("a freed guest is killed by order, and only by order", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a");
  keeper.free();
  keeper.free(); // harmless
  await appendFile(fifoPath(join(host.dir, "a")), "rubbish\n\nkil\n");

  await keeper.kill();

  const death = await keeper.reaped;
  assert.deepEqual(
    { signal: death.signal, freed: death.freed },
    { signal: "SIGKILL", freed: true },
  );
});

test("hanging up kills a guest that was not freed, and not one that was", async (t) => {
  const host = await testHost(t);
  const bound = await host.launch("bound");
  const freed = await host.launch("freed");
  freed.free();

  bound.letGo();
  freed.letGo();

  await until(() => !alive(bound.qemu.pid), "the bound guest is dead");
  assert.ok(alive(freed.qemu.pid));
});

for (const frozen of ["qemu", "keeper"] as const) {
  for (const freed of [false, true]) {
    test(`a ${freed ? "freed " : ""}guest is killed although its ${frozen} is frozen`, async (t) => {
      const host = await testHost(t);
      const keeper = await host.launch("a");
      if (freed) keeper.free();
      process.kill(keeper[frozen].pid, "SIGSTOP");

      try {
        await keeper.kill();
        assert.equal(alive(keeper.qemu.pid), false);
      } finally {
        if (frozen === "keeper") process.kill(keeper.keeper.pid, "SIGCONT");
      }
    });
  }
}

test("a keeper that is killed is missed, and its guest is killed from here", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a");

  process.kill(keeper.keeper.pid, "SIGKILL");
  await keeper.keeperGone;
  assert.ok(alive(keeper.qemu.pid));
  assert.throws(() => keeper.free(), /keeper was gone/);
  await keeper.kill();

  assert.equal(alive(keeper.qemu.pid), false);
  assert.match((await keeper.reaped).summary, /so is its keeper/);
});

test("a kill that the kernel refuses for a moment is tried again", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a");
  process.kill(keeper.keeper.pid, "SIGKILL");
  await keeper.keeperGone;
  const refuse = () => {
    throw Object.assign(new Error("kill EPERM"), { code: "EPERM" });
  };
  t.mock.method(process, "kill").mock.mockImplementationOnce(refuse);

  await keeper.kill();

  assert.equal(alive(keeper.qemu.pid), false);
});

test("words to a keeper that has just died hurt nobody", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a");
  const other = await host.launch("b");

  process.kill(keeper.keeper.pid, "SIGKILL"); // its line breaks while we speak
  await keeper.kill();

  other.free();
});

test("a freed guest outlives its keeper, and its end is still seen", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a");
  keeper.free();

  process.kill(keeper.keeper.pid, "SIGKILL");
  await keeper.keeperGone;
  assert.ok(alive(keeper.qemu.pid));
  process.kill(keeper.qemu.pid, "SIGKILL");

  assert.match((await keeper.reaped).summary, /so is its keeper/);
});

test("a keeper that was frozen while it was freed finds that out, and keeps its guest", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a");
  process.kill(keeper.keeper.pid, "SIGSTOP");

  keeper.free();
  process.kill(keeper.keeper.pid, "SIGCONT");
  await until(() => !descriptorsOf(keeper.keeper.pid).has("3"), "it has closed its line");
  assert.ok(alive(keeper.qemu.pid));
  await keeper.kill();

  assert.equal((await keeper.reaped).freed, true);
});

test("a keeper whose run directory takes no file is not freed", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a");
  await rename(join(host.dir, "a"), join(host.dir, "elsewhere"));

  assert.throws(() => keeper.free(), /ENOENT/);
  await rename(join(host.dir, "elsewhere"), join(host.dir, "a"));
  await keeper.kill();

  assert.equal((await keeper.reaped).freed, false);
});

for (const freed of [false, true]) {
  test(`a ${freed ? "freed " : ""}guest that ends by itself is reaped, with its code`, async (t) => {
    const host = await testHost(t);
    const keeper = await host.launch("a", {
      binary: "/bin/sh",
      argv: ["-c", "sleep 0.05; exit 7"],
    });
    if (freed) keeper.free();

    const death = await keeper.reaped;

    assert.deepEqual({ exitCode: death.exitCode, freed: death.freed }, { exitCode: 7, freed });
    assert.match(
      readFileSync(lastWordPath(join(host.dir, "a")), "utf8"),
      freed ? /^7 freed itself_*\n$/ : /^7 unfreed itself_*\n$/,
    );
  });
}

test("whatever a guest writes on its console, nobody looks at its processes because of it", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a");
  assert.ok(keeper instanceof Kept);
  keeper.free();
  const dir = join(host.dir, "a");
  let looks = 0;
  const look = keeper.look.bind(keeper);
  keeper.look = () => {
    looks += 1;
    look();
  };
  const writes = 100;
  const heard = new Promise<void>((resolve) => {
    const watcher = watch(dir, (_kind, name) => {
      if (name !== "last") return;
      watcher.close();
      resolve();
    });
  });
  for (let write = 0; write < writes; write += 1) {
    await appendFile(join(dir, "console.log"), "t 1\n");
  }
  writeFileSync(join(dir, "last"), "");
  await heard;
  assert.ok(looks < writes / 2, `${looks} looks: only the clock's are wanted`);
  await keeper.kill();
});

test("polite signals do not part a guest from its keeper", async (t) => {
  const host = await testHost(t);
  const keeper = await host.launch("a");
  keeper.free();

  for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGPIPE"] as const) {
    process.kill(keeper.keeper.pid, signal);
  }
  await keeper.kill();

  assert.equal((await keeper.reaped).freed, true); // it was there to see it
});

test("QEMU inherits the FIFO's writing end, its log, and nothing else", async (t) => {
  const host = await testHost(t);
  // A program in QEMU's place that opens nothing of its own.
  const { qemu } = await host.launch("a", { binary: "/bin/sleep", argv: ["600"] });
  const runDir = join(host.dir, "a");
  const own = descriptorsOf("self");
  const wanted = new Map([
    ["0", join(runDir, "keeper.fifo")],
    ["1", join(runDir, "qemu.log")],
    ["2", join(runDir, "qemu.log")],
  ]);

  let inherited = new Map<string, string>();
  await until(
    () => {
      inherited = descriptorsOf(qemu.pid);
      // Pipes this test process itself was started with are no concern of the keeper.
      for (const [fd, target] of inherited) {
        if (Number(fd) > 2 && own.get(fd) === target) inherited.delete(fd);
      }
      return isDeepStrictEqual(inherited, wanted);
    },
    `only these are open: ${[...wanted]}`,
  );

  const flags = readFileSync(`/proc/${qemu.pid}/fdinfo/0`, "utf8");
  assert.match(flags, /^flags:\t0?[0-7]*1$/m); // O_WRONLY: it cannot read its keeper's orders
});

function descriptorsOf(pid: number | "self"): Map<string, string> {
  const directory = `/proc/${pid}/fd`;
  const found = new Map<string, string>();
  for (const fd of readdirSync(directory)) {
    try {
      found.set(fd, readlinkSync(join(directory, fd)));
    } catch {
      // closed since it was listed
    }
  }
  return found;
}

test("an agent's sudden death ends what it had not freed, and nothing else", async (t) => {
  const host = await testHost(t);
  const agent = spawn(
    process.execPath,
    [fileURLToPath(new URL("fixtures/agent.js", import.meta.url)), host.dir, host.keeperPath],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const lines = createInterface(agent.stdout)[Symbol.asyncIterator]();
  const told = JSON.parse((await lines.next()).value as string) as {
    identities: [Pair, Pair, Pair];
    bystander: number;
  };
  t.after(() => process.kill(told.bystander, "SIGKILL"));
  const [a, b, c] = told.identities;

  agent.kill("SIGKILL");

  await until(() => !alive(a.qemu.pid) && !alive(c.qemu.pid), "A and C are dead");
  await until(() => !alive(a.keeper.pid) && !alive(c.keeper.pid), "and their keepers gone");
  assert.ok(alive(b.qemu.pid) && alive(b.keeper.pid) && alive(told.bystander));

  const [foundA, foundB] = await Promise.all([
    adoptQemu({ runDir: join(host.dir, "a"), ...a }),
    adoptQemu({ runDir: join(host.dir, "b"), ...b }),
  ]);
  assert.ok("summary" in foundA && "reaped" in foundB);
  assert.match(foundA.summary, /because its agent died before freeing it/);
  await foundB.kill();
  assert.deepEqual((await foundB.reaped).freed, true);
});

test("a keeper leaves its last word in a run directory into which not a byte fits any more", async (t) => {
  const host = await testHost(t);
  const runDir = await host.runDir("a");
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", runDir]);
  try {
    const keeper = await host.launch("a", { runDir });
    keeper.free();
    const full = openSync(join(runDir, "full"), "w");
    assert.throws(() => {
      for (;;) writeSync(full, Buffer.alloc(4096));
    }, /ENOSPC/);
    closeSync(full);

    process.kill(keeper.qemu.pid, "SIGKILL");

    const { signal, freed } = await keeper.reaped;
    assert.deepEqual([signal, freed], ["SIGKILL", true]);
  } finally {
    execFileSync("umount", ["--lazy", runDir]);
  }
});
