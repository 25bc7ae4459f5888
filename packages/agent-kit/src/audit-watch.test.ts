import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { AuditLog } from "@ferry/store";
import { watchAudit } from "./audit-watch.js";
import { until } from "./calls-for-tests.js";
import { makeLogger } from "./logs.js";
import { makeMetrics } from "./metrics.js";

test("an agent that finds its audit log changed says so in its log and its metrics", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), "ferry-audit-watch-"));
  t.after(() => rm(dir, { recursive: true }));
  const path = join(dir, "audit.source.log");
  const before = await AuditLog.open(dir, "source");
  for (const reason of ["one", "two"]) {
    await before.append({ what: "override", who: "ann", migrationId: "", guestId: "", reason });
  }
  await before.close();
  const lines: string[] = [];
  const log = makeLogger({ level: "info", base: {} }, { write: (line) => void lines.push(line) });
  const metrics = makeMetrics({ role: "source", process: false });
  const told = async () => {
    const text = await metrics.registry.getSingleMetricAsString("ferry_audit_log_changed");
    return text.split("\n").at(-1);
  };
  const begin = async () => {
    const audit = await AuditLog.open(dir, "source");
    let looked = false;
    const check = async () => {
      const why = await audit.check();
      setImmediate(() => {
        looked = true;
      });
      return why;
    };
    const stop = watchAudit({ audit: { check }, role: "source", log, metrics });
    await until("it to have looked", () => looked);
    stop();
    await audit.close();
  };
  await begin();
  assert.equal(await told(), 'ferry_audit_log_changed{role="source"} 0');
  assert.deepEqual(lines, []);
  await writeFile(path, (await readFile(path, "utf8")).replace("ann", "bob"));
  await begin();
  assert.equal(await told(), 'ferry_audit_log_changed{role="source"} 1');
  assert.match(
    lines.join(""),
    /"level":"error".*line 2 does not follow.*the audit log was changed/,
  );
});
