import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LogFile } from "./log-file.js";

function tempDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "ferry-log-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

test("lines are appended in order, and are there once flushed", async (t) => {
  const path = join(tempDir(t), "agent.log");
  for (const words of [["one\n", "two\n"], ["three\n"]]) {
    const file = new LogFile(path);
    for (const word of words) file.write(word);
    await file.flush(10_000);
    file.close();
  }
  assert.equal(readFileSync(path, "utf8"), "one\ntwo\nthree\n");
});

test("a process that ends now still gets its last line out", (t) => {
  const path = join(tempDir(t), "agent.log");
  const file = new LogFile(path);
  file.write("fatal\n");
  file.flushNow();
  assert.match(readFileSync(path, "utf8"), /fatal/);
});

test("a full disk neither throws nor keeps anybody waiting, and costs bounded memory", async () => {
  const file = new LogFile("/dev/full");
  for (let line = 0; line < 10_000; line += 1) file.write("x".repeat(1_000));
  await file.flush(1);
  file.flushNow();
  file.write("still here\n");
});

test("lines dropped for a reader who did not read are counted once it reads", async (t) => {
  // A pipe nobody reads: opened for both ends, so that opening does not wait for anybody.
  const dir = tempDir(t);
  const fifo = join(dir, "fifo");
  assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
  const reader = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  t.after(() => closeSync(reader));
  const file = new LogFile(fifo);
  const line = `${"x".repeat(1_023)}\n`;
  for (let count = 0; count < 6_000; count += 1) file.write(line); // 6 MB into 4 MB

  const seen: string[] = [];
  const buffer = Buffer.alloc(65_536);
  const read = () => {
    try {
      seen.push(buffer.toString("utf8", 0, readSync(reader, buffer)));
      return true;
    } catch {
      return false; // empty for now
    }
  };
  const deadline = Date.now() + 20_000;
  let told = false;
  while (!told && Date.now() < deadline) {
    if (!read()) {
      file.write("and on\n");
      await new Promise((resolve) => setImmediate(resolve));
    }
    told = /"dropped":\d+/.test(seen.at(-1) ?? "");
  }
  assert.ok(told);
});

test("a process ends although nobody reads what it writes on its standard output", async (t) => {
  const program = `
    import { LogFile } from ${JSON.stringify(new URL("log-file.js", import.meta.url).href)};
    const file = new LogFile();
    const end = () => { file.flushNow(); process.exit(7); };
    for (let line = 0; line < 1_000; line += 1) file.write("x".repeat(1_000));
    process.stdin.once("data", end); // a while after the pipe was full
    process.stderr.write("full");
  `;
  // What Node calls a pipe is a socket, as a service's standard output is; a container's is a pipe.
  const fifo = join(tempDir(t), "fifo");
  assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
  const pipe = openSync(fifo, constants.O_RDWR);
  t.after(() => closeSync(pipe));
  for (const stdout of ["pipe", pipe] as const) {
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      stdio: ["pipe", stdout, "pipe"],
    });
    assert.ok(child.stdin && child.stderr);
    t.after(() => child.kill("SIGKILL"));
    await once(child.stderr, "data");
    child.stdin.write("end\n");
    const timer = setTimeout(() => child.kill("SIGKILL"), 20_000);
    assert.deepEqual(await once(child, "exit"), [7, null]);
    clearTimeout(timer);
  }
});

test("a pipe for its log that nobody reads yet is refused, where it kept an agent from starting", (t) => {
  const fifo = join(tempDir(t), "fifo");
  assert.equal(spawnSync("mkfifo", [fifo]).status, 0);
  assert.throws(() => new LogFile(fifo), { code: "ENXIO" });
});
