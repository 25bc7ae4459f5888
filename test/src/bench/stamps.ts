/*
 * When things happened to one QEMU, by its own stamps: the events of a monitor that no agent opens. All
 * QEMUs of the benchmark are on one machine, so their stamps are of one clock.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { connect, type Qmp } from "@ferry/qmp";

/** "STOP", "RESUME", …; of a MIGRATION event its status: "setup", "completed", … */
type Happening = string;

const MONITOR_MS = 10_000;
const WAIT_MS = 60_000;

export class Stamps {
  /** Milliseconds since 1970, of the last time each thing happened. */
  readonly #at = new Map<Happening, number>();
  readonly #wakes = new Set<() => void>();

  /** Listens on a monitor that is open already. */
  constructor(readonly qmp: Qmp) {
    qmp.on("event", ({ event, data, timestamp }) => {
      const name = event === "MIGRATION" ? String(data.status) : event;
      this.#at.set(name, timestamp.seconds * 1e3 + timestamp.microseconds / 1e3);
      this.#wake();
    });
    qmp.once("close", () => this.#wake());
  }

  /** Opens the third monitor of the QEMU that runs in this directory. */
  static async open(runDir: string): Promise<Stamps> {
    return new Stamps(await connect(join(runDir, "debug.qmp"), { timeoutMs: MONITOR_MS }));
  }

  /** Undefined if it has not happened. */
  at(happening: Happening): number | undefined {
    return this.#at.get(happening);
  }

  /** Waits until it happened. Throws if that takes a minute, or QEMU ends before. */
  async until(happening: Happening): Promise<number> {
    const deadline = AbortSignal.timeout(WAIT_MS);
    for (;;) {
      const at = this.#at.get(happening);
      if (at !== undefined) return at;
      if (this.qmp.closed) throw new Error(`QEMU ended before ${happening}`);
      if (deadline.aborted) throw new Error(`${happening} did not happen within ${WAIT_MS} ms`);
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#wakes.delete(done);
          deadline.removeEventListener("abort", done);
          resolve();
        };
        this.#wakes.add(done);
        deadline.addEventListener("abort", done);
      });
    }
  }

  /** Milliseconds between two things that happened. */
  between(first: Happening, then: Happening, there: Stamps = this): number {
    const [from, to] = [this.at(first), there.at(then)];
    if (from === undefined || to === undefined) {
      throw new Error(`${from === undefined ? first : then} was not heard of`);
    }
    return to - from;
  }

  close(): void {
    this.qmp.close();
  }

  #wake(): void {
    for (const wake of [...this.#wakes]) wake();
  }
}

/** Run directories of the guests, resident or arriving, of one host. */
export function runDirectories(runDir: string): string[] {
  return readdirSync(runDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(runDir, entry.name))
    .filter((path) => readdirSync(path).includes("debug.qmp"));
}
