/*
 * The floor: two QEMUs moved over QMP and nothing around them. It launches the destination, sets the
 * same capabilities and the same kind of key as Ferry does, and reaps the source; it watches nobody,
 * writes nothing down and survives nothing. What Ferry takes longer is what its promises cost.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { commandLine, type GuestSpec, writePskFile } from "@ferry/qemu";
import { connect, type Qmp } from "@ferry/qmp";
import { type MoveTimes, timesOf } from "./move.js";
import { Stamps } from "./stamps.js";

const BINARY = "/usr/bin/qemu-system-x86_64";
const MONITOR_MS = 15_000;
const BANDWIDTH_UNLIMITED = 2 ** 40;

/** One QEMU of the floor's, with its one monitor. */
interface Bare {
  readonly process: ChildProcess;
  readonly qmp: Qmp;
  readonly runDir: string;
}

export class Floor {
  readonly #dir = mkdtempSync(join(tmpdir(), "fl-"));
  readonly #alive = new Set<ChildProcess>();
  #guest: Bare | undefined;
  #launched = 0;

  private constructor(readonly spec: GuestSpec) {}

  /** Starts the guest that is to be moved. */
  static async start(spec: GuestSpec): Promise<Floor> {
    const floor = new Floor(spec);
    try {
      floor.#guest = await floor.#launch(false);
      return floor;
    } catch (error) {
      await floor.remove();
      throw error;
    }
  }

  get consolePath(): string {
    return join(this.#guest?.runDir ?? "", "console.log");
  }

  /** Moves the guest to a new QEMU, from nothing to the old one's end. */
  async move(): Promise<MoveTimes> {
    const source = this.#guest;
    if (source === undefined) throw new Error("the floor's guest was not started");
    const port = await freePort(); // an agent knows its free ports
    const startedAt = performance.now();
    const destination = await this.#launch(true);
    const [sent, arrived] = [new Stamps(source.qmp), new Stamps(destination.qmp)];
    const uri = `tcp:127.0.0.1:${port}`;
    const key = randomBytes(32).toString("hex");
    await prepare(destination, "server", key, ["events", "return-path", "late-block-activate"]);
    await destination.qmp.execute("migrate-incoming", { uri });
    await prepare(source, "client", key, ["events", "return-path", "pause-before-switchover"]);
    await source.qmp.execute("migrate", { uri });
    await sent.until("pre-switchover");
    await source.qmp.execute("migrate-continue", { state: "pre-switchover" });
    await Promise.all([sent.until("completed"), arrived.until("completed")]);
    await destination.qmp.execute("cont");
    await arrived.until("RESUME");
    await this.#kill(source.process);
    const wallMs = performance.now() - startedAt;
    this.#guest = destination;
    rmSync(source.runDir, { recursive: true, force: true });
    return timesOf(wallMs, sent, arrived);
  }

  async remove(): Promise<void> {
    await Promise.all([...this.#alive].map((process) => this.#kill(process)));
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #launch(incoming: boolean): Promise<Bare> {
    this.#launched += 1;
    const runDir = join(this.#dir, `${this.#launched}`);
    mkdirSync(runDir, { mode: 0o700 });
    const argv = commandLine(this.spec, {
      accelerator: "tcg",
      runDir,
      monitors: ["floor.qmp"],
      incoming,
      paused: incoming,
      sandbox: true,
    });
    const process = spawn(BINARY, argv, { stdio: "ignore" });
    this.#alive.add(process);
    process.once("error", () => this.#alive.delete(process));
    process.once("exit", () => this.#alive.delete(process));
    const qmp = await connect(join(runDir, "floor.qmp"), { timeoutMs: MONITOR_MS });
    return { process, qmp, runDir };
  }

  async #kill(process: ChildProcess): Promise<void> {
    if (!this.#alive.has(process)) return;
    const exited = once(process, "exit");
    process.kill("SIGKILL");
    await exited;
  }
}

async function prepare(
  { qmp, runDir }: Bare,
  endpoint: "server" | "client",
  key: string,
  wanted: readonly string[],
): Promise<void> {
  const dir = join(runDir, endpoint);
  await writePskFile(dir, key);
  await qmp.execute("object-add", {
    "qom-type": "tls-creds-psk",
    id: endpoint, // a guest that arrived and is moved on has been both
    endpoint,
    dir,
    ...(endpoint === "client" ? { username: "qemu" } : {}),
  });
  await qmp.execute("migrate-set-capabilities", {
    capabilities: wanted.map((capability) => ({ capability, state: true })),
  });
  await qmp.execute("migrate-set-parameters", {
    "tls-creds": endpoint,
    ...(endpoint === "client" ? { "max-bandwidth": BANDWIDTH_UNLIMITED } : {}),
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}
