/*
 * Goal: a bundle is made whatever cannot be got, and says so. Method: a folder like an agent's, with
 * things in it that are broken, and the archive read back.
 */
import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseTarGzip } from "nanotar";
import { Bundle } from "./bundle.js";
import { collectLocal } from "./local.js";

const NOW = new Date("2030-01-02T03:04:05Z");
const KEY = "b2".repeat(32);

function scratch(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "ferry-bundle-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

async function readBack(file: string) {
  const entries = await parseTarGzip(readFileSync(file));
  return new Map(entries.map(({ name, text }) => [name.replace("ferry-bundle/", ""), text]));
}

test("what cannot be got is a line of the manifest, with the reason", async (t) => {
  const file = join(scratch(t), "report.tar.gz");
  const bundle = new Bundle();
  await bundle.add("a/info.json", "versions", async () => ({ version: "1", bytes: 5n }));
  await bundle.add("b/info.json", "versions of b", () => Promise.reject(new Error(`no ${KEY}`)));
  await bundle.write(file, NOW);
  const files = await readBack(file);
  assert.deepEqual([...files.keys()], ["manifest.json", "a/info.json"]);
  assert.deepEqual(JSON.parse(files.get("a/info.json") ?? ""), { version: "1", bytes: "5" });
  const { made, held, missing } = JSON.parse(files.get("manifest.json") ?? "");
  assert.equal(made.at, NOW.toISOString());
  assert.deepEqual(held, [{ path: "a/info.json", what: "versions", bytes: 37 }]);
  assert.deepEqual(missing, [{ what: "versions of b", why: "no [redacted]" }]);
  assert.match(bundle.lines(file).join("\n"), /not got: versions of b: no \[redacted\]/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("a file that is there is not replaced", async (t) => {
  const file = join(scratch(t), "mine");
  writeFileSync(file, "mine");
  await assert.rejects(new Bundle().write(file, NOW), /cannot be written: EEXIST/);
  assert.equal(readFileSync(file, "utf8"), "mine");
});

test("on a host: configuration, the log's end, records and audit log, without what is secret", async (t) => {
  const dir = scratch(t);
  const stateDir = join(dir, "state");
  const logFile = join(dir, "agent.log");
  mkdirSync(join(stateDir, "guests", "vm1"), { recursive: true });
  mkdirSync(join(stateDir, "endings"));
  const record = JSON.stringify({ spec: { boot: { commandLine: "root=/ token=hush" } } });
  writeFileSync(join(stateDir, "guests", "vm1", "record.json"), `{"sha256":"${KEY}"}\n${record}\n`);
  writeFileSync(join(dir, "elsewhere"), "hush");
  symlinkSync(join(dir, "elsewhere"), join(stateDir, "guests", "vm1", "link"));
  writeFileSync(join(stateDir, "audit.source.log"), `{"what":"override","before":"${KEY}"}\n`);
  const long = `{"msg":"old","n":1}\n`.repeat(80_000);
  writeFileSync(logFile, `${long}{"msg":"last","endpoint":{"key":"${KEY}"}}\n`);
  const config = join(dir, "agent.yaml");
  writeFileSync(
    config,
    `state_dir: ${stateDir}\nmetrics_listen: "127.0.0.1:1"\nmispelt: 1\n` +
      `tls: {cert: /c.crt, key: /where/it/is.key}\nlog: {file: ${logFile}}\n`,
  );
  const bundle = new Bundle();
  await collectLocal(bundle, [config, join(dir, "none.yaml")]);
  const file = join(dir, "report.tar.gz");
  await bundle.write(file, NOW);
  const files = await readBack(file);
  const all = [...files.values()].join("");
  assert.ok(!all.includes("hush") && !all.includes("is.key"));
  assert.equal(JSON.parse(files.get("local/1-agent.yaml/config.json") ?? "").mispelt, 1);
  const log = (files.get("local/1-agent.yaml/log.jsonl") ?? "").trim().split("\n");
  assert.equal(log.at(-1), '{"msg":"last","endpoint":{"key":"[redacted]"}}');
  assert.equal(log[0], '{"msg":"old","n":1}', "a tail begins with a whole line");
  assert.ok(log.length < 80_000);
  assert.match(files.get("local/state/guests/vm1/record.json") ?? "", new RegExp(KEY));
  assert.match(files.get("local/state/audit.source.log") ?? "", /"override"/);
  assert.ok(!files.has("local/state/guests/vm1/link"));
  const missing = bundle.missing.map(({ what }) => what);
  for (const what of ["metrics at 127.0.0.1:1", `records in ${join(stateDir, "arrivals")}`]) {
    assert.ok(missing.includes(what), missing.join(", "));
  }
  assert.ok(missing.some((what) => what.includes("none.yaml")));
});
