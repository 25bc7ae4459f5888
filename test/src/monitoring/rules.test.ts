/*
 * Goal: every alert fires when it should, not when it should not, says what it is about, and has a runbook; and
 * it asks for nothing that no agent tells. Method: Prometheus's own tool for testing rules, on the rules as they ship.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeMetrics } from "@ferry/agent-kit";
import { ALERTS, type Alert, ruleOf, rulesYaml } from "@ferry/monitoring";
import { promtool } from "./promtool.js";
import { RULE_CASES, type Story } from "./rule-cases.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const rules = join(root, "deploy/prometheus/rules.yaml");
const dir = mkdtempSync(join(tmpdir(), "fy-rules-"));
after(() => rmSync(dir, { recursive: true }));

const alerts: readonly Alert[] = Object.values(ALERTS).flat();
const names = alerts.map(({ name }) => name);

interface Told extends Story {
  /** Of the alert that fires; undefined: none must. */
  readonly labels?: Readonly<Record<string, string>>;
}

function run(alert: Alert, stories: readonly Told[]) {
  const file = join(dir, "test.yaml");
  const { labels: everywhere } = ruleOf(alert);
  const tests = stories.map(({ series, at, interval = "10s", labels }) => {
    const exp_annotations = annotationsOf(alert, labels ?? {});
    const fired = { exp_labels: { ...labels, ...everywhere }, exp_annotations };
    const exp_alerts = labels === undefined ? [] : [fired];
    return {
      interval,
      input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
      alert_rule_test: [{ eval_time: at, alertname: alert.name, exp_alerts }],
    };
  });
  const evaluation_interval = stories[0]?.interval ?? "10s"; // one for all stories of an alert
  writeFileSync(file, JSON.stringify({ rule_files: [rules], evaluation_interval, tests }));
  return promtool(["test", "rules", file]);
}

/** What a person reads, every name filled in. */
function annotationsOf(alert: Alert, labels: Readonly<Record<string, string>>) {
  const { annotations } = ruleOf(alert);
  const fill = (text: string) =>
    text.replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, name: string) => labels[name] ?? "MISSING");
  return Object.fromEntries(Object.entries(annotations).map(([name, text]) => [name, fill(text)]));
}

test("promtool has nothing against the rules", () => {
  const said = promtool(["check", "rules", "--lint-fatal", rules]);
  assert.ok(said.ok, said.text);
});

test("every alert has its case, its runbook, and nothing else does", () => {
  const runbooks = readdirSync(join(root, "docs/runbooks"))
    .filter((name) => name.startsWith("Ferry")) // others are about tasks, not alerts
    .map((name) => name.replace(/\.md$/, ""));
  assert.deepEqual(runbooks.sort(), [...names].sort());
  assert.deepEqual(Object.keys(RULE_CASES).sort(), [...names].sort());
});

for (const alert of alerts) {
  const { fires, too, quiet } = RULE_CASES[alert.name] ?? assert.fail(alert.name);

  test(`${alert.name} fires when it should, says what it is about, and is quiet otherwise`, () => {
    assert.doesNotMatch(JSON.stringify(annotationsOf(alert, fires.labels)), /MISSING|\{\{/);
    const stories = Object.entries({ "it fires": fires, ...too, ...quiet });
    assert.ok(stories.length > 1);
    // All at once, since that is quick; one by one if any is wrong, to say which.
    if (
      run(
        alert,
        stories.map(([, story]) => story),
      ).ok
    )
      return;
    for (const [what, story] of stories) {
      const said = run(alert, [story]);
      assert.ok(said.ok, `${what}: ${said.text}`);
    }
  });

  test(`${alert.name} has a runbook with every part of one`, () => {
    const text = readFileSync(join(root, `docs/runbooks/${alert.name}.md`), "utf8");
    const parts = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title);
    assert.deepEqual(parts, [alert.name, "Meaning", "Impact", "Diagnosis", "What to do"]);
    for (const part of text.split(/^## .*$/m).slice(1)) assert.ok(part.trim().length > 40, part);
  });
}

test("alerts ask only for what agents tell", () => {
  const told = (["source", "destination"] as const).flatMap((role) =>
    makeMetrics({ role })
      .registry.getMetricsAsArray()
      .map(({ name }) => name),
  );
  const asked = alerts.flatMap(({ expr }) => expr.match(/\b(?:ferry|nodejs|grpc)_\w+/g) ?? []);
  for (const name of asked) {
    assert.ok(told.includes(name.replace(/_(bucket|count|sum)$/, "")), name);
  }
});

test("a story that is told wrongly is noticed", () => {
  const [alert] = alerts;
  assert.ok(alert);
  const { fires } = RULE_CASES[alert.name] ?? assert.fail();
  const { series, at } = fires;
  assert.equal(run(alert, [{ series, at }]).ok, false);
});

test("runbooks may be elsewhere", () => {
  assert.match(rulesYaml("https://wiki.example/%s"), /https:\/\/wiki\.example\/FerryTwoOwners\n/);
});
