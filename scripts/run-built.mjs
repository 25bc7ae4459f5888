/* Builds Ferry, unless told --no-build, and runs one of its programs with the options that are left. */
import { spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** `program` is a path in the repository. Exits as the program does. */
export function runBuilt(program) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const args = process.argv.slice(2).filter((arg) => arg !== "--no-build");
  if (args.length === process.argv.length - 2) {
    const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));
    const built = spawnSync(process.execPath, [tsc, "-b"], { cwd: root, stdio: "inherit" });
    if (built.status !== 0) process.exit(built.status ?? 1);
  }
  const path = fileURLToPath(new URL(`../${program}`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: "inherit" });
  // ^C reaches both of us; the program undoes what it started, and ends.
  for (const name of ["SIGINT", "SIGTERM"]) {
    process.on(name, () => {
      if (name === "SIGTERM") child.kill(name);
    });
  }
  child.on("exit", (code) => process.exit(code ?? 1));
}
