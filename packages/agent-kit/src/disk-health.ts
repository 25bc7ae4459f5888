/*
 * Whether the state directory can be written, told while it cannot: in the log, as a metric, and in the
 * words of whatever waits for it. Nothing is decided here; a migration hears of its own steps.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { type Disk, realDisk, watchedDisk } from "@ferry/store";
import type { AgentRole } from "./config.js";
import type { Logger } from "./logs.js";
import type { Metrics } from "./metrics.js";

/** A disk that refused is tried again after this time, in milliseconds, whether anybody needs it or not. */
const PROBE_AFTER_MS = 500;
/** Larger than what a file system keeps beside a file's name. */
const PROBE_BYTES = 4_096;

export interface DiskHealthOptions {
  readonly stateDir: string;
  readonly role: AgentRole;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "stateUnwritable">;
  readonly disk?: Disk;
}

export class DiskHealth {
  /** What the store is to write through. */
  readonly disk: Disk;
  /** Called when the disk can be written again. */
  onWritable: () => Promise<void> = async () => {};
  #refusal: NodeJS.ErrnoException | undefined;
  #probe: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly options: DiskHealthOptions) {
    this.disk = watchedDisk(options.disk ?? realDisk, (refusal) => this.#heard(refusal));
  }

  get writable(): boolean {
    return this.#refusal === undefined;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#probe);
  }

  #heard(refusal: NodeJS.ErrnoException | undefined): void {
    const { stateDir, role, log, metrics } = this.options;
    const before = this.#refusal;
    this.#refusal = refusal;
    if (refusal !== undefined) this.#probeLater();
    if ((before === undefined) === (refusal === undefined)) return;
    metrics.stateUnwritable.set({ role }, refusal === undefined ? 0 : 1);
    if (refusal === undefined) {
      log.warn({ state_dir: stateDir }, "the state directory is writable again");
      this.onWritable().catch((error: unknown) => log.warn({ err: error }, "not put in order yet"));
    } else {
      log.error(
        { state_dir: stateDir, err: refusal },
        "the state directory cannot be written: new migrations are refused, and what is under way waits where it must",
      );
    }
  }

  #probeLater(): void {
    if (this.#closed || this.#probe !== undefined) return;
    this.#probe = setTimeout(() => {
      this.#probe = undefined;
      void this.#tryIt();
    }, PROBE_AFTER_MS).unref();
  }

  async #tryIt(): Promise<void> {
    const { stateDir, role } = this.options;
    // Named as every unfinished file of this role, so that the next start tidies it away.
    const path = join(stateDir, "endings", `.${role}.${randomUUID()}`);
    try {
      await this.disk.writeFile(path, Buffer.alloc(PROBE_BYTES, " "));
    } catch {
      this.#probeLater(); // also for what is no refusal: it was not written
    } finally {
      await this.disk.remove(path).catch(() => {});
    }
  }
}
