/* What was measured, summed up: as a table for people, as JSON for programs. */
import { ROW_IDS, ROWS, type Row, type RowId, type Target } from "./rows.js";

/** One measurement, and its pair's if its row has a floor. */
export interface Sample {
  readonly ferry: number;
  readonly floor?: number | undefined;
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly p95: number;
  readonly n: number;
}

export interface RowReport {
  readonly id: RowId;
  readonly title: string;
  readonly unit: string;
  readonly ferry: Summary;
  readonly floor: Summary | null;
  /** The middle one of the pairs' ratios. */
  readonly ratio: number | null;
  /** In words, e.g. "median <= 5"; null if nothing is asked of it. */
  readonly target: string | null;
  readonly met: boolean | null;
}

export type Samples = ReadonlyMap<RowId, readonly Sample[]>;

/** Rows that were measured, in the order of the list. */
export function report(samples: Samples): RowReport[] {
  return ROW_IDS.flatMap((id) => {
    const measured = samples.get(id) ?? [];
    return measured.length === 0 ? [] : [reportRow(id, ROWS[id], measured)];
  });
}

function reportRow(id: RowId, { title, unit, target }: Row, samples: readonly Sample[]): RowReport {
  const ferry = summary(samples.map((sample) => sample.ferry));
  const floors = samples.flatMap((sample) => (sample.floor === undefined ? [] : [sample.floor]));
  const ratios = samples.flatMap((sample) =>
    sample.floor === undefined ? [] : [sample.ferry / sample.floor],
  );
  const ratio = ratios.length === 0 ? null : round(middle(ratios), 2);
  return {
    id,
    title,
    unit,
    ferry,
    floor: floors.length === 0 ? null : summary(floors),
    ratio,
    target: target === undefined ? null : inWords(target),
    met: target === undefined ? null : isMet(target, ferry, ratio),
  };
}

/** Of at least one number. The 95th percentile is a measured one: of few, the largest. */
export function summary(numbers: readonly number[]): Summary {
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (index: number) => sorted[Math.min(sorted.length, Math.max(1, index)) - 1] ?? 0;
  const { length } = sorted;
  return {
    median: round(middle(sorted)),
    min: round(at(1)),
    max: round(at(length)),
    p95: round(at(Math.ceil(length * 0.95))),
    n: length,
  };
}

/** The median, of numbers in any order. */
function middle(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? 0) + (sorted[Math.floor(half)] ?? 0)) / 2;
}

function isMet({ measure, atMost, atLeast }: Target, ferry: Summary, ratio: number | null) {
  const value = measure === "ratio" ? ratio : ferry[measure];
  if (value === null) return false;
  return value <= (atMost ?? Number.POSITIVE_INFINITY) && value >= (atLeast ?? 0);
}

function inWords({ measure, atMost, atLeast }: Target): string {
  return atMost === undefined ? `${measure} >= ${atLeast}` : `${measure} <= ${atMost}`;
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

/** For people: Markdown, so that it can stand in a document as it is. */
export function toTable(rows: readonly RowReport[]): string {
  const head = ["row", "what", "ferry", "floor", "ratio", "target", "met"];
  const cells = rows.map((row) => [
    row.id,
    row.floor === null ? row.title : `${row.title}; floor: ${ROWS[row.id].floor ?? ""}`,
    `${inShort(row.ferry)} ${row.unit}, n = ${row.ferry.n}`,
    row.floor === null ? "" : inShort(row.floor),
    row.ratio === null ? "" : `${row.ratio}`,
    row.target ?? "",
    row.met === null ? "" : row.met ? "yes" : "NO",
  ]);
  const widths = head.map((name, column) =>
    Math.max(name.length, ...cells.map((line) => line[column]?.length ?? 0)),
  );
  const line = (texts: readonly string[]) =>
    `| ${texts.map((text, column) => text.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [line(head), rule, ...cells.map(line)].join("\n");
}

/** "median (min-max)", and what 95 of 100 stay under where that says more. */
function inShort({ median, min, max, p95, n }: Summary): string {
  return n < 2 ? `${median}` : `${median} (${min}-${max}${p95 < max ? `, p95 ${p95}` : ""})`;
}
