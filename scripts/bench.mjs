/*
 * Builds Ferry and measures it: test/src/bench. `npm run bench -- --help` says what there is.
 */
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const args = process.argv.slice(2);

if (!args.some((arg) => ["--no-build", "--help", "-h"].includes(arg))) {
  const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));
  const built = spawnSync(process.execPath, [tsc, "-b"], { cwd: root, stdio: "inherit" });
  if (built.status !== 0) process.exit(built.status ?? 1);
}

const program = fileURLToPath(new URL("../test/dist/bench/main.js", import.meta.url));
const bench = spawn(process.execPath, [program, ...args], { stdio: "inherit" });
// ^C reaches both of us; the benchmark undoes what it started, and ends.
for (const name of ["SIGINT", "SIGTERM"]) {
  process.on(name, () => {
    if (name === "SIGTERM") bench.kill(name);
  });
}
bench.on("exit", (code) => process.exit(code ?? 1));
