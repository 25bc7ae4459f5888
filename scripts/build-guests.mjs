/*
 * Assembles the tiny test guest, test/guests/ticker.S → ticker.bin. The binary is committed, so that
 * nobody needs binutils to run the tests; this script is for whoever changes the source, and for CI.
 *
 *   node scripts/build-guests.mjs           writes it
 *   node scripts/build-guests.mjs --check   fails if it would change; passes over where binutils is missing
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const guests = fileURLToPath(new URL("../test/guests/", import.meta.url));
const committed = join(guests, "ticker.bin");
const check = process.argv[2] === "--check";

if (spawnSync("as", ["--version"]).status !== 0) {
  process.stderr.write("no assembler here: apt-get install binutils\n");
  process.exit(check ? 0 : 1);
}
const work = mkdtempSync(join(tmpdir(), "ferry-guests-"));
try {
  const object = join(work, "ticker.o");
  const binary = join(work, "ticker.bin");
  execFileSync("as", ["--32", "-o", object, join(guests, "ticker.S")], { stdio: "inherit" });
  // -N: one piece, text and data together; a multiboot loader puts the file at 1 MiB as it is.
  const layout = ["-m", "elf_i386", "-N", "-Ttext=0x100000", "-e", "entry", "--oformat", "binary"];
  execFileSync("ld", [...layout, "-o", binary, object], { stdio: "inherit" });
  const built = readFileSync(binary);
  if (!check) writeFileSync(committed, built, { mode: 0o644 });
  else if (!built.equals(readFileSync(committed))) {
    process.stderr.write("test/guests/ticker.bin is stale, run: node scripts/build-guests.mjs\n");
    process.exitCode = 1;
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
