/*
 * Draws docs/metrics.md from both agents' registries (packages/agent-kit/src/metrics.ts), built first.
 *
 *   node scripts/draw-metrics.mjs           writes it
 *   node scripts/draw-metrics.mjs --check   fails if it would change (CI)
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { makeMetrics } from "../packages/agent-kit/dist/index.js";

const path = fileURLToPath(new URL("../docs/metrics.md", import.meta.url));
const drawn = draw();
if (process.argv[2] === "--check") {
  const written = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (written !== drawn) {
    process.stderr.write("docs/metrics.md is stale, run: node scripts/draw-metrics.mjs\n");
    process.exitCode = 1;
  }
} else {
  writeFileSync(path, drawn);
}

/** By name: what it is, and which agents have it. */
function metrics() {
  const found = new Map();
  for (const role of ["source", "destination"]) {
    const { registry } = makeMetrics({ role, process: false });
    for (const metric of registry.getMetricsAsArray()) {
      const roles = found.get(metric.name)?.roles ?? [];
      found.set(metric.name, { ...metric, roles: [...roles, role] });
    }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function draw() {
  const all = metrics();
  const one = (metric) => metric.labelNames.includes("migration_id");
  const rpc = ({ name }) => name.startsWith("grpc_");
  return `<!-- Drawn by scripts/draw-metrics.mjs from packages/agent-kit/src/metrics.ts. Do not edit. -->

# Metrics

Both agents tell theirs at \`/metrics\` on \`metrics_listen\`, in Prometheus's text format. Scrape every agent (two per host);
[alerts](operations.md#alerts) are made of them. Which host an agent is on is Prometheus's \`instance\`;
\`ferry_build_info\` says its \`host_id\`.

Base units (seconds, bytes), counters end in \`_total\`, what is known beforehand is there from the start with 0. A value that nobody knows
has no series. Names are stable: one that goes away is told a release before.

## One migration

\`migration_id\` is the same at both agents, so one query shows both ends. These series exist while the migration is under way and for five
minutes after, with their last values (rates and guesses end with the copy), for at most 256 migrations per agent: what is under way
first, then what ended last. The history is in the counters and histograms below.

${table(all.filter(one))}

\`phase\` is a phase of the role's table in [protocol.md](protocol.md).

## Agents and their guests

${table(all.filter((metric) => !one(metric) && !rpc(metric)))}

| label | values |
|---|---|
| \`role\` | \`source\`, \`destination\`: which agent tells it |
| \`outcome\` | source: \`succeeded\`, \`failed\`, \`cancelled\`. Destination: \`succeeded\`, \`failed\`, \`tether_lost\`, \`perished\` |
| \`reason\` | \`none\`; at a source one of the [failures](errors.md#failures), at a destination a cause, in lower case |
| \`cause\` | what cut a tether: \`cancelled\`, \`connection_lost\`, \`keepalive\`, \`heartbeat\`, \`deadline\`, \`agent_died\`, \`shutdown\` |
| \`state\` of \`ferry_guests\` | at a source the guest's state (\`running\`, \`paused\`, \`lost\`, …), at a destination the arrival's phase |
| \`tethered\`, \`finished\` | \`true\`, \`false\`: an arriving guest's caller holds its stream; the guest has landed here, or was always here |

## Calls

The names that every gRPC dashboard knows. \`msg\` counts the messages of unary calls, too. Prepare, Meet and the Watch calls last as long
as somebody listens: leave them out of a percentile of \`grpc_server_handling_seconds\`.

${table(all.filter(rpc))}

## The process

\`process_*\` and \`nodejs_*\` are prom-client's own. \`nodejs_eventloop_lag_p99_seconds\` is the one to watch: an agent that is busy for longer than
\`keepalive.timeout_ms\` cuts tethers that are fine.

## What there is none of

Ferry has no post-copy, no disk mirrors, no namespaces and no CPU throttling, so there are no metrics of theirs. It measures the blackout from STOP to RESUME
(\`ferry_migration_downtime_seconds\`), not when the network has found the guest again: that is seen from outside. Records are replaced whole, so there is no
journal to replay; an agent that finds a torn record does not start, and says so in its log. There is one certificate per agent, for both
control and tunnel; \`direct\` has a key of its own for every migration, and nothing of it can expire.
`;
}

function table(all) {
  const rows = all.map(({ name, help, type, labelNames, roles }) => {
    const labels = labelNames.map((label) => `\`${label}\``).join(" ");
    return `| \`${name}\` | ${type} | ${labels} | ${roles.length === 2 ? "both" : roles[0]} | ${help.replaceAll("|", "\\|")} |`;
  });
  return ["| name | type | labels | told by | |", "|---|---|---|---|---|", ...rows].join("\n");
}
