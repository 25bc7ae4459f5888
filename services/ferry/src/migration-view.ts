/*
 * How a migration looks while it is under way: a bar for people, plain lines where nobody watches a
 * terminal, one JSON object per event for programs. What is shown of the copy is the source's own
 * ratio, which never runs backwards.
 */
import type { MigrationEvent, ProgressNow } from "@ferry/client";
import cliProgress from "cli-progress";
import { barLine, columnsOf } from "./bar.js";
import type { Shell } from "./shell.js";
import { formatBytes, formatDuration, formatRate } from "./units.js";

export interface View {
  note(text: string): void;
}

/** Plain lines tell of the copy once every so much of it. */
const LINE_EVERY = 0.1;

/** Rows that tell a person something; the others only say that a call was repeated or overtaken. */
const TOLD: ReadonlySet<string> = new Set([
  "begin-silence",
  "begin-again",
  "prepare-again",
  "prepare-silence",
  "tether-lost",
  "tether-lost-ordered",
  "perform-silence",
  "perform-timeout",
  "finish-silence",
  "confirm-silence",
  "abort-silence",
  "abort-too-late",
  "abandon-silence",
]);

export class MigrationView implements View {
  readonly #phases = { source: "", destination: "" };
  #bar: cliProgress.SingleBar | undefined;
  /** What was last told of the copy. */
  #copy: readonly string[] = [];
  #shown = -1;

  constructor(
    readonly shell: Shell,
    readonly json: boolean,
  ) {}

  begin(title: string): void {
    if (this.json) return;
    this.shell.note(title);
    if (!this.shell.live) return;
    this.#bar = new cliProgress.SingleBar({
      format: (_options, { progress }, { parts }: { parts: readonly string[] }) =>
        barLine(progress, parts, columnsOf(process.stderr)),
      hideCursor: true,
      gracefulExit: false, // the first interrupt ends the migration, not the bar
      stream: process.stderr,
    });
    this.#bar.start(100, 0, { parts: ["beginning"] });
  }

  show(event: MigrationEvent): void {
    if (this.json) {
      this.shell.json(event);
      return;
    }
    switch (event.kind) {
      case "phase":
        this.#phases[event.role] = event.phase;
        if (this.#bar === undefined) this.note(`${event.role}: ${event.phase}`);
        else this.#bar.update({ parts: [...this.#copy, this.#phase()] });
        return;
      case "progress":
        this.#progress(event.progress);
        return;
      case "decision":
        if (!TOLD.has(event.row)) return;
        this.note(`${event.row}${event.message === undefined ? "" : `: ${event.message}`}`);
        return;
      case "warning":
      case "holding":
        this.note(event.message);
        return;
      case "outcome":
        if (event.outcome.verdict === "landed") this.#bar?.update(100);
        this.end();
    }
  }

  #progress(progress: ProgressNow): void {
    const { ratio, etaMs, transferBytesPerSecond, remainingBytes, iteration } = progress;
    const speed = formatRate(transferBytesPerSecond);
    const left = formatBytes(remainingBytes);
    const remaining = etaMs === undefined ? "unknown" : formatDuration(etaMs);
    const percent = Math.floor(ratio * 100);
    if (this.#bar !== undefined) {
      this.#copy = [`ETA ${remaining}`, speed, `${left} left`, `pass ${iteration}`];
      this.#bar.update(percent, { parts: [...this.#copy, this.#phase()] });
      return;
    }
    if (ratio - this.#shown < LINE_EVERY && ratio < 1) return;
    this.#shown = ratio;
    this.note(`${percent}%  ${speed}  ${left} left  ETA ${remaining}  pass ${iteration}`);
  }

  /** A line of its own, above the bar. */
  note(text: string): void {
    if (this.#bar !== undefined) process.stderr.write("\r\u001b[K");
    this.shell.note(text);
  }

  end(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #phase(): string {
    return [this.#phases.source, this.#phases.destination].filter(Boolean).join(" → ");
  }
}
