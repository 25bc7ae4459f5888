/*
 * Draws docs/errors.md from the contract's tables (packages/contract/src/reasons.ts), built first.
 *
 *   node scripts/draw-errors.mjs           writes it
 *   node scripts/draw-errors.mjs --check   fails if it would change (CI)
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { status } from "@grpc/grpc-js";
import { BLOCKERS, FAILURES, REASONS } from "../packages/contract/dist/index.js";

const path = fileURLToPath(new URL("../docs/errors.md", import.meta.url));
const drawn = draw();
if (process.argv[2] === "--check") {
  const written = existsSync(path) ? readFileSync(path, "utf8") : "";
  if (written !== drawn) {
    process.stderr.write("docs/errors.md is stale, run: node scripts/draw-errors.mjs\n");
    process.exitCode = 1;
  }
} else {
  writeFileSync(path, drawn);
}

function draw() {
  return `<!-- Drawn by scripts/draw-errors.mjs from packages/contract/src/reasons.ts. Do not edit. -->

# Errors

Every refusal is a gRPC status whose details (\`grpc-status-details-bin\`) are a \`google.rpc.Status\` with
exactly one \`google.rpc.ErrorInfo\` of domain \`ferry\`. Decide by its \`reason\`, never by the message. The status code is
chosen by what the caller should do next, not by what broke.

Beside the ErrorInfo come, where they fit:

| detail | when | what it holds |
|---|---|---|
| \`PreconditionFailure\` | something stands in the way | every blocker: \`type\` is one of the [blockers](#blockers), \`subject\` what, \`description\` the evidence |
| \`BadRequest\` | \`INVALID_REQUEST\` | every wrong field, by its path |
| \`QuotaFailure\` | \`RESOURCE_EXHAUSTED\` | what ran out |
| \`RetryInfo\` | repeating the same call makes sense | the least delay before it |
| \`RequestInfo\` | always, and of errors that are no agent's judgement, too | what the agent's log calls the call |
| \`Help\` | always | what the caller must do, and a link into this page |

\`ErrorInfo.metadata\` may hold \`verdict\` and \`cause\` (in lower case: \`returned\`, \`connection_lost\`) and the ids of what is in the
way. Long lists are cut to fit into a trailer; \`omitted\` then says how many entries were left out. An error without such details did not
come from an agent's judgement (a broken connection, a proxy, a deadline, a bug): it proves nothing, so ask again.

A verdict is an answer with status OK, never an error: \`landed\`, \`returned\`, \`perished\` and \`pending\` are not in this list.

## Reasons

${sections(REASONS, (reason) => {
  const retry = reason.retryAfterMs === undefined ? "no" : `after ${duration(reason.retryAfterMs)}`;
  return `\`${status[reason.code]}\` · repeat the same call: ${retry}`;
})}

## Blockers

\`Blocker.reason\` in \`BeginResponse\` and \`PrepareValidated\`, and \`PreconditionFailure\`'s \`type\`. All that were found are listed, not the
first.

${table(BLOCKERS)}

## Failures

\`PerformFailed.reason\`: the migration came to nothing. The stream itself ends OK.

${table(FAILURES)}
`;
}

/** A heading each, so that Help can link to it. */
function sections(words, line) {
  return Object.entries(words)
    .map(([word, it]) => `### ${word}\n\n${line(it)}\n\n${it.meaning} **Next:** ${it.next}`)
    .join("\n\n");
}

function table(words) {
  const rows = Object.entries(words).map(
    ([word, { meaning, next }]) => `| \`${word}\` | ${meaning} | ${next} |`,
  );
  return ["| word | it means | do this |", "|---|---|---|", ...rows].join("\n");
}

function duration(milliseconds) {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000} s` : `${milliseconds} ms`;
}
