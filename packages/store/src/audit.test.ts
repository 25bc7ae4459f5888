import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { AuditLog, readAudit } from "./audit.js";
import { StoreCorrupt } from "./errors.js";

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "ferry-audit-"));
});
after(() => rm(directory, { recursive: true }));

const entry = (reason: string) => ({
  what: "override",
  who: "ann",
  migrationId: "m",
  guestId: "g",
  reason,
});

async function written(role: string, reasons: readonly string[]): Promise<string> {
  const log = await AuditLog.open(directory, role);
  await Promise.all(reasons.map((reason) => log.append(entry(reason))));
  await log.close();
  return join(directory, `audit.${role}.log`);
}

test("entries are read back in order, also over a reopening", async () => {
  await written("order", ["one", "two"]);
  const path = await written("order", ["three"]);
  assert.deepEqual(
    (await readAudit(path)).map(({ reason }) => reason),
    ["one", "two", "three"],
  );
});

test("a changed line is found out", async () => {
  const path = await written("changed", ["one", "two", "three"]);
  await writeFile(path, (await readFile(path, "utf8")).replace("two", "2wo"));
  await assert.rejects(readAudit(path), (error) => {
    assert.ok(error instanceof StoreCorrupt);
    assert.match(error.message, /line 3/);
    return true;
  });
});

test("a line that was taken out is found out", async () => {
  const path = await written("missing", ["one", "two", "three"]);
  const [first, , third] = (await readFile(path, "utf8")).split("\n");
  await writeFile(path, `${first}\n${third}\n`);
  await assert.rejects(readAudit(path), StoreCorrupt);
});

test("a torn last line is kept, and the log goes on after it", async () => {
  const path = await written("torn", ["one"]);
  await appendFile(path, '{"at":"20');
  await written("torn", ["two"]);
  assert.deepEqual(
    (await readAudit(path)).map(({ reason }) => reason),
    ["one", "two"],
  );
});
