/*
 * Goal: scripts/tidy.mjs can say no. Method: small trees with one defect each, and one without any; a
 * checker that looks at nothing would pass the last of them, so that one counts its files.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const tidy = fileURLToPath(new URL("tidy.mjs", import.meta.url));

function run(t, tree) {
  const root = mkdtempSync(join(tmpdir(), "ferry-tidy-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return spawnSync(process.execPath, [tidy, root], { encoding: "utf8" });
}

const refuses = (title, tree, complaint) =>
  test(title, (t) => {
    const { status, stderr } = run(t, tree);
    assert.match(stderr, complaint);
    assert.equal(status, 1);
  });

test("a tree in order passes, and every file of it was looked at", (t) => {
  const { status, stdout, stderr } = run(t, {
    "packages/protocol/src/index.ts": 'export { a } from "./table.js";',
    "packages/protocol/src/table.ts": "export const a = 1;",
    "packages/qemu/src/index.ts": 'import { spawn } from "node:child_process"; spawn("x");',
    "packages/qemu/src/launch.test.ts": 'import "./fake-qemu.js"; import "node:child_process";',
    "packages/qemu/src/fake-qemu.ts": 'import "@grpc/grpc-js"; process.env.A = "";',
    "services/ferry/src/main.ts": 'import "@ferry/client"; process.env; import("./later.js");',
    "services/ferry/src/later.ts": "// TODO(ana) later\n",
    "packages/client/src/index.ts": 'import "@ferry/contract"; import "@grpc/grpc-js";',
    "packages/client/scripts/draw.mjs": 'import "../dist/page.js";',
    "packages/client/src/page.ts": "export {};",
  });
  assert.equal(stderr, "");
  assert.match(stdout, /9 files, 0 complaints/);
  assert.equal(status, 0);
});

refuses("no source at all", {}, /no source was found/);
refuses(
  "tables that import",
  { "packages/protocol/src/index.ts": 'import { join } from "node:path"; join();' },
  /packages\/protocol\/src\/index\.ts: node:path: the tables import nothing/,
);
refuses(
  "an import up",
  { "packages/qmp/src/index.ts": 'import "@ferry/qemu";' },
  /@ferry\/qemu: imports point one way/,
);
refuses(
  "an import beside",
  { "services/source-agent/src/index.ts": 'export * from "@ferry/destination-agent";' },
  /imports point one way/,
);
refuses(
  "a package nobody has placed",
  { "packages/new/src/index.ts": "export {};" },
  /packages\/new: has no place/,
);
refuses(
  "a process started where none should be",
  {
    "packages/client/src/index.ts": 'import "./deep.js";',
    "packages/client/src/deep.ts": 'import { spawn } from "node:child_process"; spawn("sh");',
  },
  /deep\.ts: node:child_process is not for this place/,
);
refuses(
  "gRPC where no server or client is made",
  { "packages/qemu/src/index.ts": 'import "@grpc/grpc-js";' },
  /@grpc\/grpc-js is not for this place/,
);
refuses(
  "the environment read in passing",
  { "packages/store/src/index.ts": "export const a = process.env.HOME;" },
  /process\.env is read in the configuration/,
);
refuses(
  "a dead file",
  { "packages/qmp/src/index.ts": "export {};", "packages/qmp/src/old.ts": "export {};" },
  /old\.ts: nothing reaches this file/,
);
refuses(
  "what only tests use, under a name that would be shipped",
  {
    "packages/qmp/src/index.ts": "export {};",
    "packages/qmp/src/a.test.ts": 'import "./helper.js";',
    "packages/qmp/src/helper.ts": "export {};",
  },
  /helper\.ts: only tests use this file/,
);
refuses(
  "what is needed, under a name that is not shipped",
  {
    "packages/qmp/src/index.ts": 'import "./a-for-tests.js";',
    "packages/qmp/src/a-for-tests.ts": "export {};",
  },
  /a-for-tests\.ts: the image leaves it out/,
);
refuses(
  "a test's pause point in what is shipped",
  { "packages/qmp/src/index.ts": "syncBuiltinESMExports();" },
  /index\.ts: what is shipped knows of no pause point/,
);
refuses(
  "product code that imports a test",
  {
    "packages/qmp/src/index.ts": 'import "./a.test.js";',
    "packages/qmp/src/a.test.ts": "export {};",
  },
  /a\.test\.js is a test/,
);
refuses(
  "an import of nothing",
  { "packages/qmp/src/index.ts": 'import "./gone.js";' },
  /\.\/gone\.js is not there/,
);
refuses(
  "a TODO that is nobody's",
  { "packages/qmp/src/index.ts": "// TODO: later" },
  /line 1: a TODO needs an owner/,
);
refuses(
  "a test that sleeps",
  { "packages/qmp/src/a.test.ts": "await new Promise((r) => setTimeout(r, 500));" },
  /line 1: a test waits for a condition/,
);
