/*
 * Runs the built tests by group, and ends with one plain line that counts them.
 *
 *   node scripts/run-tests.mjs [unit] [model] [e2e] [-- OPTION...]
 *
 *   unit    beside the code of every package and service: Node.js, and QEMU where they drive it
 *   model   the walk of every world the two tables can reach
 *   e2e     whole hosts, real guests, faults (test/, except the model)
 *
 * A file in which something failed is run once more, alone, and that is said: most tests have real
 * processes and real time in them, and a machine that was busy with something else is no defect. What
 * fails twice has failed.
 *
 * No group: all of them. Options after `--` go to node --test, e.g. `-- --test-name-pattern=tunnel`.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Files of a group that run at once, and how long a file may take, in milliseconds. */
const GROUPS = {
  unit: { concurrency: 2, timeoutMs: 600_000, files: () => unit() },
  model: { concurrency: 1, timeoutMs: 1_800_000, files: () => under("test", /^dist\/model\//) },
  e2e: { concurrency: 1, timeoutMs: 1_200_000, files: () => under("test", /^dist\/(?!model\/)/) },
};

const split = process.argv.indexOf("--");
const names = process.argv.slice(2, split === -1 ? undefined : split);
const options = split === -1 ? [] : process.argv.slice(split + 1);
const wrong = names.find((name) => !Object.hasOwn(GROUPS, name));
if (wrong !== undefined) {
  process.stderr.write(`no group ${wrong}: ${Object.keys(GROUPS).join(", ")}\n`);
  process.exit(2);
}

let current;
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    current?.kill(signal);
    process.exitCode = 130;
  });
}

const total = { pass: 0, fail: 0, skipped: 0 };
for (const name of names.length > 0 ? names : Object.keys(GROUPS)) {
  const { concurrency, timeoutMs, files } = GROUPS[name];
  const found = files();
  process.stdout.write(`\n== ${name}: ${found.length} files\n`);
  if (found.length === 0) {
    process.stdout.write("no test was built: run npx tsc -b\n");
    total.fail += 1;
    continue;
  }
  const counted = await run(found, concurrency, timeoutMs);
  if (counted.fail > 0 && counted.failing.length > 0 && process.exitCode === undefined) {
    process.stdout.write(`\n== ${name}: once more, alone: ${counted.failing.join(", ")}\n`);
    const again = await run(counted.failing, 1, timeoutMs);
    const mended = Math.max(0, counted.fail - again.fail);
    process.stdout.write(`${mended} of ${counted.fail} failures did not come again\n`);
    counted.pass += mended;
    counted.fail = again.fail;
  }
  for (const key of Object.keys(total)) total[key] += counted[key];
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
process.stdout.write(`\n${total.pass} passed, ${total.fail} failed${skipped}\n`);
process.exitCode ||= total.fail > 0 ? 1 : 0;

/** Runs them, passes on what Node.js says, and counts by its summary. */
function run(files, concurrency, timeoutMs) {
  const args = ["--test", `--test-concurrency=${concurrency}`, `--test-timeout=${timeoutMs}`];
  const reporter = ["--test-reporter=spec", "--test-reporter-destination=stdout"];
  const child = spawn(process.execPath, [...args, ...reporter, ...options, ...files], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  });
  current = child;
  return new Promise((resolve) => {
    let tail = "";
    child.stdout.on("data", (chunk) => {
      process.stdout.write(chunk);
      tail = (tail + chunk).slice(-100_000);
    });
    child.on("close", (code) => {
      const count = (word) => Number(tail.match(new RegExp(`^ℹ ${word} (\\d+)$`, "m"))?.[1] ?? 0);
      const counted = { pass: count("pass"), fail: count("fail"), skipped: count("skipped") };
      counted.fail += count("cancelled");
      // A file that could not even be run must not pass for a file without tests.
      if (code !== 0 && counted.fail === 0) counted.fail = 1;
      const places = [...tail.matchAll(/^test at (.+\.m?js):\d+:\d+$/gm)].map(([, path]) => path);
      resolve({ ...counted, failing: files.filter((file) => places.some(isIn(file))) });
    });
  });
}

/** Whether what failed at a place is of that test file: written there, or in a part that it imports. */
function isIn(file) {
  const text = readFileSync(join(root, file), "utf8");
  return (place) =>
    join(root, place) === join(root, file) ||
    (!/\.test\.m?js$/.test(place) && text.includes(`/${basename(place)}"`));
}

function unit() {
  const scripts = readdirSync(join(root, "scripts"))
    .filter((name) => name.endsWith(".test.mjs"))
    .map((name) => join("scripts", name));
  const built = ["packages", "services"].flatMap((kind) =>
    readdirSync(join(root, kind)).flatMap((name) => under(join(kind, name), /^dist\//)),
  );
  return [...scripts, ...built];
}

/** Built tests whose source is still there: a build leaves what was renamed or removed. */
function under(workspace, pattern) {
  const dir = join(root, workspace);
  const dist = join(dir, "dist");
  if (!existsSync(dist)) return [];
  return readdirSync(dist, { recursive: true })
    .map((name) => join("dist", name))
    .filter((name) => name.endsWith(".test.js") && pattern.test(name))
    .filter((name) => existsSync(join(dir, name.replace(/^dist/, "src").replace(/js$/, "ts"))))
    .map((name) => relative(root, join(dir, name)))
    .filter((name) => statSync(join(root, name)).isFile())
    .sort();
}
