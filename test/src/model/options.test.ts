/*
 * Goal: who asks the programs of the walk for what they do not have is told so at once, rather than left
 * to wait minutes for something else. Method: run them, with wrong options.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

function run(program: string, options: readonly string[]) {
  const path = fileURLToPath(new URL(`./${program}`, import.meta.url));
  return spawnSync(process.execPath, [path, ...options], { encoding: "utf8" });
}

for (const program of ["walk.js", "mutate.js"]) {
  test(`${program} says how it is used`, () => {
    const { status, stdout, stderr } = run(program, ["--help"]);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
    assert.match(stdout, new RegExp(`^Usage: node test/dist/model/${program} \\[OPTIONS\\]\n`));
  });
}

const WRONG: readonly [program: string, options: readonly string[], said: RegExp][] = [
  ["walk.js", ["--ful"], /^Unknown option '--ful'/],
  ["walk.js", ["full"], /^Unexpected argument 'full'/],
  ["walk.js", ["--full=2"], /^Option '--full' does not take an argument/],
  ["mutate.js", ["--worker", "2"], /^Unknown option '--worker'/],
  ["mutate.js", ["--workers"], /^Option '--workers <value>' argument missing/],
  ["mutate.js", ["--workers", "0"], /^--workers wants a whole number from 1 to 64, not "0"/],
  ["mutate.js", ["--workers", "65"], /^--workers wants a whole number from 1 to 64, not "65"/],
  ["mutate.js", ["--workers", "two"], /^--workers wants a whole number from 1 to 64, not "two"/],
  ["mutate.js", ["--only", "idle.nothing"], /^no mutant's name contains "idle.nothing"/],
];

for (const [program, options, said] of WRONG) {
  test(`${program} ${options.join(" ")} is refused`, () => {
    const { status, stdout, stderr } = run(program, options);
    assert.deepEqual({ status, stdout }, { status: 2, stdout: "" });
    assert.match(stderr, said);
    assert.match(stderr, /See --help\.\n$/);
  });
}
