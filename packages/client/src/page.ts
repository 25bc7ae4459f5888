/* Draws the tables of docs/controller.md out of the rows, so that the page cannot say anything else. */
import { ROWS, type Row } from "./rows.js";

/** Everything between these lines is drawn. */
export const DRAWN_FROM =
  "<!-- Drawn from packages/client/src/rows.ts by packages/client/scripts/draw-controller.mjs. -->";
export const DRAWN_TO = "<!-- End of what is drawn. -->";

/** The page with its tables drawn anew. */
export function drawPage(page: string): string {
  const from = page.indexOf(DRAWN_FROM);
  const to = page.indexOf(DRAWN_TO);
  if (from < 0 || to < from) throw new Error("the page lacks the lines between which it is drawn");
  return `${page.slice(0, from)}${DRAWN_FROM}\n\n${tables()}\n${page.slice(to)}`;
}

function tables(): string {
  const rows: [string, Row][] = Object.entries(ROWS);
  const calls = [...new Set(rows.map(([, { call }]) => call))];
  return calls
    .map((call) =>
      table(
        call,
        rows.filter(([, row]) => row.call === call),
      ),
    )
    .join("\n");
}

function table(call: string, rows: readonly [string, Row][]): string {
  const lines = rows.map(([id, { knew, next }]) => `| \`${id}\` | ${knew} | ${next} |`);
  const title = call.charAt(0).toUpperCase() + call.slice(1);
  return `### ${title}\n\n| row | what I last knew | what I do next |\n|---|---|---|\n${lines.join("\n")}\n`;
}
