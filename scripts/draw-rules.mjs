/*
 * Draws deploy/prometheus/rules.yaml from the table of alerts (packages/monitoring/src/alerts.ts), built first.
 *
 *   node scripts/draw-rules.mjs                   writes it
 *   node scripts/draw-rules.mjs --check           fails if it would change (CI)
 *   node scripts/draw-rules.mjs --runbooks URL    prints it with other links; %s in URL is the alert's name
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { rulesYaml } from "../packages/monitoring/dist/index.js";

const HEAD = `# Drawn by scripts/draw-rules.mjs from packages/monitoring/src/alerts.ts. Do not edit.
# With runbooks elsewhere: node scripts/draw-rules.mjs --runbooks 'https://wiki.example/ferry/%s' > rules.yaml
`;
const path = fileURLToPath(new URL("../deploy/prometheus/rules.yaml", import.meta.url));
const [option, url] = process.argv.slice(2);
if (option === "--runbooks") {
  if (url?.includes("%s")) process.stdout.write(rulesYaml(url));
  else {
    process.stderr.write("--runbooks wants a URL in which %s stands for the alert's name\n");
    process.exitCode = 2;
  }
} else {
  const drawn = `${HEAD}${rulesYaml()}`;
  if (option === "--check") {
    const written = existsSync(path) ? readFileSync(path, "utf8") : "";
    if (written !== drawn) {
      process.stderr.write(
        "deploy/prometheus/rules.yaml is stale, run: node scripts/draw-rules.mjs\n",
      );
      process.exitCode = 1;
    }
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, drawn);
  }
}
