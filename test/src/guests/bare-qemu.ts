/*
 * A QEMU of the test's own, with no agent and no keeper: for proving that the test guests themselves
 * do what the tests believe of them, and for measuring what a bare script can do.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type Qmp } from "@ferry/qmp";

export interface BareQemuOptions {
  readonly kernel: string;
  readonly initrd?: string;
  readonly commandLine?: string;
  readonly memoryMib?: number;
  /** More of QEMU's arguments, e.g. `-incoming defer`. */
  readonly extra?: readonly string[];
}

export class BareQemu {
  readonly #process: ChildProcess;
  /** Resolves with its exit code once it is reaped; null after a signal. */
  readonly exited: Promise<number | null>;

  private constructor(
    readonly dir: string,
    process: ChildProcess,
  ) {
    this.#process = process;
    this.exited = new Promise((resolve) => process.once("exit", (code) => resolve(code)));
  }

  static start(options: BareQemuOptions): BareQemu {
    const dir = mkdtempSync(join(tmpdir(), "ferry-bare-"));
    const stderr = openSync(join(dir, "stderr"), "w");
    const { kernel, initrd, commandLine = "", memoryMib = 64, extra = [] } = options;
    const argv = [
      // 8 KiB less than whole: see memorySize in packages/qemu/src/command-line.ts.
      ...["-machine", "q35", "-cpu", "qemu64", "-accel", "tcg", "-m", `${memoryMib * 1024 - 8}K`],
      ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
      ...["-kernel", kernel, "-append", commandLine],
      ...(initrd === undefined ? [] : ["-initrd", initrd]),
      ...["-chardev", `file,id=console,path=${join(dir, "console")}`],
      ...["-device", "isa-serial,chardev=console"],
      ...["-qmp", `unix:${join(dir, "qmp")},server=on,wait=off`],
      ...extra,
    ];
    const process = spawn("qemu-system-x86_64", argv, { stdio: ["ignore", "ignore", stderr] });
    closeSync(stderr);
    return new BareQemu(dir, process);
  }

  get consolePath(): string {
    return join(this.dir, "console");
  }

  /** What QEMU complained of. */
  get stderr(): string {
    return readFileSync(join(this.dir, "stderr"), "utf8");
  }

  monitor(): Promise<Qmp> {
    return connect(join(this.dir, "qmp"), { timeoutMs: 15_000 });
  }

  /** Kills it if it still lives, reaps it, and removes its files. */
  async remove(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill("SIGKILL");
      await this.exited;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
