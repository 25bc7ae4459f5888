#!/usr/bin/env node
/* What npm links as `ferry`: it links only what is there when it installs, and dist/ is built after that. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const program = new URL("../dist/main.js", import.meta.url);
if (existsSync(fileURLToPath(program))) {
  await import(program.href);
} else {
  console.error("error: ferry is not built yet\nnext: npm run build, in Ferry's folder");
  process.exitCode = 1;
}
