/*
 * A guest that lives on this host, as its source agent sees it: a keeper to reap its QEMU, and a
 * monitor of its own. Finding it after a restart disturbs nothing: it is only looked at.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Changes, type GuestRecord, type Logger, openMonitor } from "@ferry/agent-kit";
import { GuestState } from "@ferry/contract";
import { type Death, type Keeper, look, removeRunDirectory } from "@ferry/qemu";
import type { Qmp } from "@ferry/qmp";

/** A monitor that was lost while its QEMU lives is opened again after this time, in milliseconds: QEMU may only be busy. */
const REOPEN_AFTER_MS = 200;
/** One that still does not answer is tried again after twice as long each time, and at last this often. */
const REOPEN_AFTER_MAX_MS = 10_000;

/** QEMU's run states (qapi/run-state.json), as a guest's owner sees them. */
const STATES: Readonly<Record<string, GuestState>> = {
  running: GuestState.RUNNING,
  paused: GuestState.PAUSED,
  prelaunch: GuestState.PAUSED,
  suspended: GuestState.RUNNING,
  "finish-migrate": GuestState.MIGRATING_OUT,
  postmigrate: GuestState.MIGRATING_OUT,
  shutdown: GuestState.STOPPING,
  "internal-error": GuestState.ERROR,
  "io-error": GuestState.ERROR,
  "guest-panicked": GuestState.ERROR,
  watchdog: GuestState.ERROR,
};

const NO_SPEC: GuestRecord["guest"]["spec"] = {
  guestId: "",
  machineType: "",
  cpuModel: "",
  vcpus: 1,
  memoryBytes: 0,
  disks: [],
  nics: [],
  boot: { kind: "disk" },
  accelerator: "tcg",
};

const NO_GUEST: GuestRecord["guest"] = {
  spec: NO_SPEC,
  runDir: "",
  qemuVersion: "",
  accelerator: "tcg",
  cpuProperties: {},
  paused: false,
  since: new Date(0).toISOString(),
};

export class Resident {
  readonly changes = new Changes();
  qmp: Qmp | undefined;
  /** QEMU's own word for its state. */
  qemuState = "";
  /** Somebody ordered its end. */
  stopping = false;
  /** The migration that has it, if any. */
  migrationId = "";
  /** What that migration waits for, and may wait for in vain. */
  trouble = "";
  death: Death | undefined;
  /** Why its monitor cannot be opened; empty while it can, or is about to be tried. */
  #unreached = "";
  #reopenAfterMs = REOPEN_AFTER_MS;
  #closed = false;
  #cleared: Promise<void> | undefined;

  constructor(
    public record: GuestRecord,
    public keeper: Keeper | undefined,
    readonly log: Logger,
  ) {
    void keeper?.reaped.then((death) => this.#died(death));
  }

  /** A guest whose record is gone while a departure of it is not settled: there is nothing to hold. */
  static nowhere(guestId: string, log: Logger): Resident {
    const spec = { ...NO_SPEC, guestId };
    const record = { guest: { ...NO_GUEST, spec } };
    return new Resident(record, undefined, log);
  }

  get guestId(): string {
    return this.record.guest.spec.guestId;
  }

  /** Its QEMU is gone. */
  get dead(): boolean {
    return this.keeper === undefined || this.death !== undefined;
  }

  /** Its QEMU lives, and nobody can ask it anything. */
  get unreachable(): boolean {
    return !this.dead && !this.stopping && this.qmp === undefined && this.#unreached !== "";
  }

  get state(): GuestState {
    if (this.dead) return this.stopping ? GuestState.STOPPING : GuestState.LOST;
    if (this.stopping) return GuestState.STOPPING;
    if (this.unreachable) return GuestState.UNREACHABLE;
    const state = STATES[this.qemuState] ?? GuestState.STARTING;
    // After a migration that was given up, a paused guest's QEMU stands in `postmigrate` for good.
    if (state === GuestState.MIGRATING_OUT && this.migrationId === "") return GuestState.PAUSED;
    return state;
  }

  get reason(): string {
    if (this.unreachable) return this.#unreached;
    if (!this.dead) {
      return this.state === GuestState.ERROR ? `QEMU says ${this.qemuState}` : this.trouble;
    }
    return this.death?.summary ?? "its QEMU was gone when this agent started";
  }

  /** Opens the monitor and looks how the guest is. */
  async open(): Promise<Qmp> {
    if (this.keeper === undefined) throw new Error(this.reason);
    const { runDir } = this.record.guest;
    if (!existsSync(runDir)) {
      throw new Error(
        `its run directory ${runDir} is gone, and its monitors with it: nobody can open them again`,
      );
    }
    const qmp = await openMonitor(join(runDir, "source.qmp"), this.keeper);
    this.qmp = qmp;
    this.#reached();
    qmp.on("event", ({ event }) => {
      if (["STOP", "RESUME", "SHUTDOWN", "SUSPEND", "WAKEUP", "GUEST_PANICKED"].includes(event)) {
        void this.look();
      }
    });
    qmp.once("close", () => {
      if (this.qmp === qmp) this.qmp = undefined;
      this.keeper?.look(); // it may be QEMU's end, and a keeper that is gone tells nobody
      this.reopenLater();
    });
    await this.look();
    this.changes.bump(); // somebody may wait for the monitor alone
    return qmp;
  }

  /** Asks QEMU how the guest is. A QEMU that does not answer leaves what was known. */
  async look(): Promise<void> {
    if (this.qmp === undefined) return;
    try {
      const { status } = await look(this.qmp);
      if (status === this.qemuState) return;
      this.qemuState = status;
      this.changes.bump();
    } catch (error) {
      this.log.debug({ guest_id: this.guestId, err: error }, "QEMU does not say how it is");
    }
  }

  /** Its QEMU is reaped and will not be missed: what it leaves in its run directory goes. Never rejects. */
  clear(): Promise<void> {
    this.#cleared ??= removeRunDirectory(this.record.guest.runDir).catch((error: unknown) =>
      // A QEMU that no record names may still live in it: it is an orphan then, and looked for.
      this.log.warn({ guest_id: this.guestId, err: error }, "its run directory is left behind"),
    );
    return this.#cleared;
  }

  close(): void {
    this.#closed = true;
    this.qmp?.close();
  }

  /** This agent ends, and the guest goes on without it. */
  letGo(): void {
    this.close();
    this.keeper?.letGo();
  }

  /** Its QEMU lives and its monitor does not answer: says so once, and tries again until it does. */
  cannotReach(error: unknown): void {
    if (this.dead || this.#closed) return;
    const first = this.#unreached === "";
    this.#unreached = error instanceof Error ? error.message : String(error);
    const about = { guest_id: this.guestId, err: error };
    if (first) this.log.error(about, "the guest's monitor does not answer: it is left as it is");
    else this.log.debug(about, "the guest's monitor still does not answer");
    this.reopenLater();
    if (first) this.changes.bump();
  }

  #reached(): void {
    this.#reopenAfterMs = REOPEN_AFTER_MS;
    if (this.#unreached === "") return;
    this.#unreached = "";
    this.log.info({ guest_id: this.guestId }, "the guest's monitor answers again");
  }

  reopenLater(): void {
    if (this.dead || this.#closed) return;
    setTimeout(() => void this.#reopen(), this.#reopenAfterMs).unref();
    this.#reopenAfterMs = Math.min(REOPEN_AFTER_MAX_MS, this.#reopenAfterMs * 2);
  }

  async #reopen(): Promise<void> {
    this.keeper?.look(); // QEMU hangs up before it is gone
    if (this.dead || this.#closed || this.qmp !== undefined) return;
    try {
      await this.open();
      this.changes.bump();
    } catch (error) {
      this.cannotReach(error);
    }
  }

  #died(death: Death): void {
    this.death = death;
    this.qmp?.close();
    this.log.info({ guest_id: this.guestId, death: death.summary }, "QEMU is gone");
    this.changes.bump();
  }
}
