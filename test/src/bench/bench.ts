/*
 * One run of the benchmark: which rows are wanted, how often each is measured, what was measured, and
 * what must be undone. Everything that is started is undone in reverse, also when somebody interrupts.
 */
import type { Sample } from "./report.js";
import type { RowId } from "./rows.js";

export interface BenchOptions {
  /** Rows to be measured. */
  readonly only: ReadonlySet<RowId>;
  /** How often; undefined: as often as each row needs to say something. */
  readonly runs: number | undefined;
}

/** A part of the benchmark whose rows are measured together. */
export interface Suite {
  readonly name: string;
  readonly rows: readonly RowId[];
  run(bench: Bench): Promise<void>;
}

export class Bench {
  readonly samples = new Map<RowId, Sample[]>();
  readonly #options: BenchOptions;
  #undo: (() => unknown)[] = [];
  #undone: Promise<void> | undefined;
  #interrupted = false;

  constructor(options: BenchOptions) {
    this.#options = options;
  }

  wants(...rows: readonly RowId[]): boolean {
    return rows.some((row) => this.#options.only.has(row));
  }

  runs(otherwise: number): number {
    return this.#options.runs ?? otherwise;
  }

  /** Remembers a measurement, and shows it. Rows that were not asked for are passed over. */
  record(row: RowId, ferry: number, floor?: number): void {
    if (!this.wants(row)) return;
    const samples = this.samples.get(row) ?? [];
    samples.push({ ferry, floor });
    this.samples.set(row, samples);
    const beside = floor === undefined ? "" : ` (floor ${floor.toFixed(1)})`;
    this.say(`  ${row} ${samples.length}: ${ferry.toFixed(1)}${beside}`);
  }

  /** Progress goes to standard error: standard output is for the table. */
  say(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  /** Starts something, and undoes it in the end, even if it is still being started then. */
  async use<T>(starting: Promise<T>, undo: (started: T) => unknown): Promise<T> {
    this.#undo.push(() => starting.then(undo, () => {})); // a start that failed has undone itself
    const started = await starting;
    if (this.#interrupted) throw new Error("interrupted");
    return started;
  }

  /** Runs a suite, and undoes what it started. */
  async run(suite: Suite): Promise<void> {
    if (!this.wants(...suite.rows)) return;
    this.say(`${suite.name}:`);
    try {
      await suite.run(this);
    } finally {
      await this.#undoAll();
    }
  }

  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** Undoes everything now; what is still running may fail of it. */
  async interrupt(): Promise<void> {
    this.#interrupted = true;
    await this.#undoAll();
  }

  #undoAll(): Promise<void> {
    this.#undone ??= this.#undoEach().finally(() => {
      this.#undone = undefined;
    });
    return this.#undone;
  }

  async #undoEach(): Promise<void> {
    for (let step = this.#undo.pop(); step !== undefined; step = this.#undo.pop()) {
      try {
        await step();
      } catch (error) {
        this.say(`could not be undone: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
}
