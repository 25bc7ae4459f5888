/*
 * Goal: no panel asks what Prometheus does not understand, or what no agent tells, and each has its place. Method:
 * every query of the dashboard as it ships, given to promtool as a recording rule. That Grafana takes its shape is
 * the compiler's to know: it is built with Grafana's own types.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeMetrics } from "@ferry/agent-kit";
import { promtool } from "./promtool.js";

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly gridPos: Readonly<Record<"x" | "y" | "w" | "h", number>>;
  readonly targets?: readonly { readonly expr: string; readonly refId: string }[];
}

const path = fileURLToPath(new URL("../../../deploy/grafana/ferry.json", import.meta.url));
const { panels } = JSON.parse(readFileSync(path, "utf8")) as { readonly panels: readonly Panel[] };
const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

test("Prometheus understands every query", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "fy-dashboard-"));
  t.after(() => rmSync(dir, { recursive: true }));
  assert.ok(queries.length > 25);
  const rules = queries.map((expr, index) => ({ record: `dashboard:query:${index}`, expr }));
  const file = join(dir, "rules.yaml");
  writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
  const said = promtool(["check", "rules", file]);
  assert.ok(said.ok, said.text);
});

test("every query asks for what agents tell", () => {
  const told = (["source", "destination"] as const).flatMap((role) =>
    makeMetrics({ role })
      .registry.getMetricsAsArray()
      .map(({ name }) => name),
  );
  for (const name of queries.flatMap((expr) => expr.match(/\b(?:ferry|nodejs|grpc)_\w+/g) ?? [])) {
    if (name.startsWith("grpc_") && ["grpc_method", "grpc_code"].includes(name)) continue; // labels
    assert.ok(told.includes(name.replace(/_(bucket|count|sum)$/, "")), name);
  }
});

test("every panel has a place of its own within the grid", () => {
  const shown = panels.filter(({ type }) => type !== "row");
  for (const { title, gridPos, targets = [] } of shown) {
    assert.ok(gridPos.x >= 0 && gridPos.x + gridPos.w <= 24, title);
    assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
    assert.ok(targets.length > 0, title);
  }
  for (const [index, one] of shown.entries()) {
    for (const other of shown.slice(index + 1)) {
      const [a, b] = [one.gridPos, other.gridPos];
      const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
      assert.ok(apart, `${one.title} lies on ${other.title}`);
    }
  }
});
