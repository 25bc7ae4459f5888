import assert from "node:assert/strict";
import { appendFile, mkdtemp, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { AuditLog, readAudit } from "./audit.js";
import { StoreCorrupt } from "./errors.js";
import { watchSyncs } from "./syncs-for-tests.js";

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

test("a log that was changed is noticed by the agent that writes it, and one that was not is whole", async (t) => {
  const path = await written("checked", ["one", "two\u2028\r\nthree"]);
  await appendFile(path, '{"at":"20'); // as a crash leaves it
  const log = await AuditLog.open(directory, "checked");
  t.after(() => log.close());
  assert.equal(await log.check(), undefined);
  await log.append(entry("four"));
  assert.equal(await log.check(), undefined);
  const whole = await readFile(path, "utf8");

  await writeFile(path, whole.replace("one", "0ne"));
  assert.match((await log.check()) ?? "", /line 2 does not follow/);
  await writeFile(path, whole.replace("four", "f0ur"));
  assert.match((await log.check()) ?? "", /its end is not what/);
  await writeFile(path, whole);
  assert.equal(await log.check(), undefined);

  await truncate(path, Buffer.byteLength(whole.slice(0, whole.lastIndexOf('{"at"'))));
  assert.match((await log.check()) ?? "", /its end is not what/);
  await log.append(entry("five"));
  assert.match((await log.check()) ?? "", /line 4 does not follow/);
});

test("nothing is written into a log that was taken away; a new one says so in its first line", async (t) => {
  const log = await AuditLog.open(directory, "away");
  t.after(() => log.close());
  const path = join(directory, "audit.away.log");
  await log.append(entry("one"));
  await rename(path, `${path}.1`);
  assert.match((await log.check()) ?? "", /taken away/);
  await Promise.all([log.append(entry("two")), log.append(entry("three"))]);
  const entries = await readAudit(path);
  assert.deepEqual(
    entries.map(({ what, reason }) => (what === "begun" ? what : reason)),
    ["begun", "two", "three"],
  );
  assert.match(entries[0]?.reason ?? "", /taken away; .*[0-9a-f]{64}$/);
  assert.equal((await readAudit(`${path}.1`)).length, 1);
  assert.equal(await log.check(), undefined);
});

test("an entry is synced before anybody is told that it is written", async (t) => {
  const log = await AuditLog.open(directory, "synced");
  const synced = await watchSyncs(t);
  await log.append(entry("one"));
  assert.deepEqual(synced, [join(directory, "audit.synced.log")]);
  await log.close();
});
