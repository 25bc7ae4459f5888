/*
 * Draws deploy/kubernetes/components/prometheus-operator/prometheus-rule.yaml, the operator's form of
 * deploy/prometheus/rules.yaml (which scripts/draw-rules.mjs draws first).
 *
 *   node scripts/draw-prometheus-rule.mjs            writes it
 *   node scripts/draw-prometheus-rule.mjs --check    fails if it would change (CI)
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const HEAD = `# Drawn by scripts/draw-prometheus-rule.mjs from deploy/prometheus/rules.yaml. Do not edit.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ferry
  labels:
    app.kubernetes.io/name: ferry
spec:
`;
const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const drawnPath = "deploy/kubernetes/components/prometheus-operator/prometheus-rule.yaml";
const rules = readFileSync(at("deploy/prometheus/rules.yaml"), "utf8")
  .split("\n")
  .filter((line) => !line.startsWith("#"))
  .map((line) => (line === "" ? "" : `  ${line}`))
  .join("\n");
const drawn = HEAD + rules;

if (process.argv[2] === "--check") {
  const written = existsSync(at(drawnPath)) ? readFileSync(at(drawnPath), "utf8") : "";
  if (written !== drawn) {
    process.stderr.write(`${drawnPath} is stale, run: node scripts/draw-prometheus-rule.mjs\n`);
    process.exitCode = 1;
  }
} else {
  writeFileSync(at(drawnPath), drawn);
}
