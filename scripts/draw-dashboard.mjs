/*
 * Draws deploy/grafana/ferry.json from the table of panels (packages/monitoring/src/panels.ts), built first.
 *
 *   node scripts/draw-dashboard.mjs           writes it
 *   node scripts/draw-dashboard.mjs --check   fails if it would change (CI)
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { dashboard } from "../packages/monitoring/dist/index.js";

const path = fileURLToPath(new URL("../deploy/grafana/ferry.json", import.meta.url));
const drawn = `${JSON.stringify(dashboard(), null, 2)}\n`;
if (process.argv[2] === "--check") {
  const written = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (written !== drawn) {
    process.stderr.write(
      "deploy/grafana/ferry.json is stale, run: node scripts/draw-dashboard.mjs\n",
    );
    process.exitCode = 1;
  }
} else {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, drawn);
}
