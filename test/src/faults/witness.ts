/*
 * Sees every QEMU of a stage with its own eyes: a monitor that no agent opens (debug.qmp), and the
 * guest's console through a descriptor that outlives its file. QEMU stamps its events with the clock
 * of this machine, which is the same for all hosts of a test. No agent is asked anything.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { connect, type Qmp, type QmpEvent } from "@ferry/qmp";
import { Consoles } from "../guests/console.js";
import { processesMentioning } from "../harness/processes.js";

/** How often run directories are looked for, in milliseconds: much less than a QEMU takes to start. */
const LOOK_MS = 5;

/** From when to when a QEMU ran its guest, in microseconds since 1970. */
export interface Running {
  readonly from: number;
  /** Undefined: it still does. */
  to: number | undefined;
}

export class SeenQemu {
  readonly consoles = new Consoles();
  readonly events: QmpEvent[] = [];
  readonly running: Running[] = [];
  monitor: Qmp | undefined;
  /** The monitor was open, and has ended. */
  gone = false;
  /** The first look found the guest running, where it should not have yet. */
  late = false;
  #read = false;

  constructor(
    readonly hostName: string,
    readonly runDir: string,
    /** A guest that was started here runs when it is first seen. */
    readonly home: boolean,
  ) {
    void this.#open();
  }

  get runsNow(): boolean {
    return this.running.at(-1)?.to === undefined && this.running.length > 0;
  }

  get everRan(): boolean {
    return this.running.length > 0;
  }

  /**
   * Something stopped the guest, and it was not QEMU's own switchover, which says so right after the STOP
   * (migration_completion in QEMU).
   */
  get pausedOutsideSwitchover(): boolean {
    return this.events.some(({ event }, index) => {
      if (event !== "STOP") return false;
      const next = this.events.slice(index + 1).find((each) => each.event === "MIGRATION");
      return next === undefined ? !this.gone : next.data.status !== "pre-switchover";
    });
  }

  saw(status: string): boolean {
    return this.events.some(({ event, data }) => event === "MIGRATION" && data.status === status);
  }

  /** Opens the console as soon as it is there. */
  look(): void {
    if (this.#read) return;
    const path = join(this.runDir, "console.log");
    if (!existsSync(path)) return;
    this.consoles.add(path);
    this.#read = true;
  }

  /** Pid of QEMU itself, and of its keeper. */
  pids(): { qemu: number | undefined; keeper: number | undefined } {
    const here = processesMentioning(this.runDir);
    const keeper = here.find(({ commandLine }) => commandLine.includes("keeper"))?.pid;
    const qemu = here.find(
      ({ pid, commandLine }) => pid !== keeper && /^\S*qemu-system/.test(commandLine),
    );
    return { qemu: qemu?.pid, keeper };
  }

  close(): void {
    this.monitor?.close();
    this.consoles.close();
  }

  async #open(): Promise<void> {
    try {
      const qmp = await connect(join(this.runDir, "debug.qmp"), { timeoutMs: 30_000 });
      this.monitor = qmp;
      qmp.once("close", () => this.#ended());
      qmp.on("event", (event) => this.#hear(event));
      const { running } = (await qmp.execute("query-status")) as { running: boolean };
      if (!running || this.everRan) return;
      if (this.home) this.running.push({ from: 0, to: undefined });
      else this.late = true;
    } catch {
      this.#ended(); // it died before its monitor answered: it never ran
    }
  }

  #hear(event: QmpEvent): void {
    this.events.push(event);
    const at = event.timestamp.seconds * 1e6 + event.timestamp.microseconds;
    if (event.event === "RESUME" && !this.runsNow) this.running.push({ from: at, to: undefined });
    if (event.event === "STOP") this.#stopped(at);
  }

  #ended(): void {
    this.gone = true;
    this.#stopped(Date.now() * 1000);
  }

  #stopped(at: number): void {
    const last = this.running.at(-1);
    if (last !== undefined && last.to === undefined) last.to = at;
  }
}

/** Watches the run directories of all hosts from now on. */
export class Witness {
  readonly seen: SeenQemu[] = [];
  readonly #known = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(readonly hosts: readonly { readonly name: string; readonly runDir: string }[]) {
    this.#look();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  on(hostName: string): SeenQemu | undefined {
    return this.seen.findLast((qemu) => qemu.hostName === hostName);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const qemu of this.seen) qemu.close();
  }

  #look(): void {
    for (const { name, runDir } of this.hosts) {
      for (const entry of readdirSync(runDir, { withFileTypes: true })) {
        const path = join(runDir, entry.name);
        if (!entry.isDirectory() || this.#known.has(path)) continue;
        if (!existsSync(join(path, "processes.json")) && !existsSync(join(path, "debug.qmp")))
          continue;
        this.#known.add(path);
        this.seen.push(new SeenQemu(name, path, this.seen.length === 0));
      }
    }
    for (const qemu of this.seen) qemu.look();
  }
}
