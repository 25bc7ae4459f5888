/*
 * A monitor whose news come late: it stands between an agent and its QEMU, passes every line on, and
 * keeps back those it was told to. So an agent can be held at an instant that QEMU passes through in
 * microseconds, with everything around it real.
 */
import { existsSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { until } from "../../harness/until.js";
import { asidePath } from "./slow-qemu.js";

/** Told of every line; true keeps it back. */
export type Held = (line: string, from: "agent" | "qemu") => boolean;

export class LateMonitor {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #kept: (() => void)[] = [];
  #held: Held;

  private constructor(path: string, held: Held) {
    this.#held = held;
    this.#server = createServer((agent) => {
      const qemu = createConnection({ path: asidePath(path) });
      this.#pass(agent, qemu, "agent");
      this.#pass(qemu, agent, "qemu");
    });
  }

  /** Waits until QEMU listens aside, and takes the monitor's own name. */
  static async at(path: string, held: Held): Promise<LateMonitor> {
    await until(`QEMU to listen at ${asidePath(path)}`, () => existsSync(asidePath(path)));
    const monitor = new LateMonitor(path, held);
    await new Promise<void>((resolve, reject) => {
      monitor.#server.once("error", reject);
      monitor.#server.listen(path, resolve);
    });
    return monitor;
  }

  /** How many lines are kept back. */
  get kept(): number {
    return this.#kept.length;
  }

  hold(held: Held): void {
    this.#held = held;
  }

  /** Passes on what was kept, and everything from now on. */
  release(): void {
    this.#held = () => false;
    for (const pass of this.#kept.splice(0)) pass();
  }

  /** Hangs up on both, and what was kept back is lost. Whoever dials again is served. */
  hangUp(): void {
    this.#held = () => false;
    this.#kept.length = 0;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(from: Socket, to: Socket, who: "agent" | "qemu"): void {
    this.#sockets.add(from);
    let text = "";
    from.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const pass = () => void to.write(`${line}\n`);
        if (this.#held(line, who)) this.#kept.push(pass);
        else pass();
      }
    });
    from.on("error", () => to.destroy());
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}

/** QEMU's word that a migration is complete: the event, and the answer to whoever asks. */
export const completed: Held = (line, from) => from === "qemu" && line.includes('"completed"');

/** QEMU's word that a guest stands at the gate: the event, and the answer to whoever asks. */
export const atGate: Held = (line, from) => from === "qemu" && line.includes('"pre-switchover"');

/** Everything QEMU says once it was given that order. */
export function silentAfter(order: string): Held {
  let given = false;
  return (line, from) => {
    if (from === "agent") given ||= line.includes(`"${order}"`);
    return given && from === "qemu";
  };
}

/** That order. */
function ordered(command: string): Held {
  const order = new RegExp(`"execute": ?"${command}"`);
  return (line, from) => from === "agent" && order.test(line);
}

/** The order to let the guest run. */
export const contOrdered = ordered("cont");
/** The order to give the copy up. */
export const cancelOrdered = ordered("migrate_cancel");
/** The order to send the guest. */
export const migrateOrdered = ordered("migrate");
