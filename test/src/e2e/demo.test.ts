/*
 * Goal: what a newcomer sees first works, and cleans up after itself however it ends. Method: the
 * demonstration as a process of its own; what it leaves is looked for by the folder it works in.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { processesMentioning } from "../harness/processes.js";
import { until } from "../harness/until.js";

const main = fileURLToPath(new URL("../demo/main.js", import.meta.url));

function play(t: TestContext) {
  const child = spawn(process.execPath, [main], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (chunk) => {
    said += chunk;
  });
  const ended = once(child, "exit").then(([code]) => code as number | null);
  t.after(() => child.kill("SIGTERM"));
  return { child, ended, said: () => said };
}

/** The demonstration's private folder, as its agents' command lines name it. */
function folderOf(pid: number | undefined): string | undefined {
  const children = processesMentioning("-agent/dist/main.cjs --config");
  const own = children.find(({ parent }) => parent === pid);
  return own?.commandLine.match(/--config (\S*\/fy-\w+)/)?.[1];
}

test("the demonstration moves the guest twice, strikes two controllers, and ends well", async (t) => {
  const { ended, said } = play(t);
  assert.equal(await ended, 0, said());
  assert.equal(said().match(/^ {3}Landed after /gm)?.length, 2, said());
  assert.match(said(), /kill -KILL.*Cause: connection lost.*kill -STOP.*Cause: keepalive/s);
  assert.equal(said().match(/none skipped, none twice/g)?.length, 4, said());
});

test("an option that it does not know is refused before anything is started", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "--kep"], {
    encoding: "utf8",
  });
  assert.deepEqual([status, stdout], [1, ""]);
  assert.match(stderr, /--kep means nothing here\nnext: .*--keep/);
});

test("interrupted while its agents start, it leaves no process and no file", async (t) => {
  const { child, ended } = play(t);
  const folder = await until("an agent to start", () => folderOf(child.pid), 120_000);
  child.kill("SIGTERM");
  assert.equal(await ended, 143);
  assert.deepEqual(processesMentioning(folder), []);
  assert.equal(existsSync(folder), false);
});

test("when nobody reads it any more, it leaves no process and no file", async (t) => {
  const { child, ended, said } = play(t);
  await until("the agents to run", () => said().includes("Starting the four agents"), 120_000);
  const folder = folderOf(child.pid);
  assert.ok(folder !== undefined);
  child.stdout.destroy(); // as `| head` does
  assert.equal(await ended, 141);
  assert.deepEqual(processesMentioning(folder), []);
  assert.equal(existsSync(folder), false);
});

test("interrupted in the middle, it leaves no process and no file", async (t) => {
  const { child, ended, said } = play(t);
  await until("the first scene", () => said().includes("1. It moves"), 120_000);
  const folder = folderOf(child.pid);
  assert.ok(folder !== undefined && existsSync(folder));
  child.kill("SIGTERM");
  assert.equal(await ended, 143);
  assert.deepEqual(processesMentioning(folder), []);
  assert.equal(existsSync(folder), false);
});
