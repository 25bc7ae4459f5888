/*
 * One monitor of one QEMU. Events are news ("event"), the end is news ("close", once); nothing is
 * ever emitted as "error", since an error nobody listens to would end every tether of this process.
 */
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { QmpError, QmpLost, QmpRubbish, QmpTimeout } from "./errors.js";
import { Lines } from "./framing.js";
import { type Arguments, type Greeting, type QmpEvent, Session } from "./session.js";

/** How long an answer is waited for unless the caller says otherwise, in milliseconds. */
export const COMMAND_TIMEOUT_MS = 10_000;

export interface ExecuteOptions {
  readonly timeoutMs?: number;
  /**
   * Out of band: QEMU's monitor thread carries it out even when its main loop is stuck. Few commands
   * can (`yank`, `migrate-pause`, `migrate-recover`). In band where the monitor does not offer it.
   */
  readonly oob?: boolean;
}

interface Call {
  readonly command: string;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface News {
  event: [QmpEvent];
  close: [];
}

/**
 * An open monitor. Listen first, then look: what happened before the listener was there is told by
 * a query and by nothing else.
 */
export class Qmp extends EventEmitter<News> {
  readonly #socket: Socket;
  readonly #session = new Session<Call>();
  readonly #lines = new Lines();
  readonly #idleHoldsProcess: boolean;
  #calls = 0;
  #oob = false;
  #version = "";
  #lost: QmpLost | undefined;
  #greeted: { resolve: (greeting: Greeting) => void; reject: (error: Error) => void } | undefined;

  /** Use `connect`. The socket is connected, and nothing of it was read. */
  private constructor(
    readonly path: string,
    socket: Socket,
    idleHoldsProcess: boolean,
  ) {
    super();
    this.setMaxListeners(0); // watchers come and go with every migration
    this.#socket = socket;
    this.#idleHoldsProcess = idleHoldsProcess;
    socket.on("data", (chunk) => this.#read(chunk));
    socket.on("error", (error) => this.#end(`the monitor broke: ${error.message}`, error));
    socket.on("close", () => {
      this.#end("QEMU closed the monitor");
      this.emit("close");
    });
  }

  /** Waits for QEMU's greeting and opens the conversation on a connected socket. */
  static async open(path: string, socket: Socket, idleHoldsProcess: boolean): Promise<Qmp> {
    const qmp = new Qmp(path, socket, idleHoldsProcess);
    const { version, capabilities } = await new Promise<Greeting>((resolve, reject) => {
      qmp.#greeted = { resolve, reject };
    });
    qmp.#version = version;
    const oob = capabilities.includes("oob");
    await qmp.execute("qmp_capabilities", oob ? { enable: ["oob"] } : undefined);
    qmp.#oob = oob;
    return qmp;
  }

  /** QEMU's, as it greeted: e.g. "7.2.22". */
  get version(): string {
    return this.#version;
  }

  /** No command can be given any more. */
  get closed(): boolean {
    return this.#lost !== undefined;
  }

  /** Why it is closed. */
  get lost(): QmpLost | undefined {
    return this.#lost;
  }

  /**
   * Gives a command and answers what QEMU returned. Throws QmpError if QEMU says no; QmpTimeout or
   * QmpLost if nothing was heard, which proves nothing. The time runs from now, also while the
   * command waits for its turn; one that ran out of time before it was sent is never sent.
   */
  execute(command: string, args?: Arguments, options: ExecuteOptions = {}): Promise<unknown> {
    const { timeoutMs = COMMAND_TIMEOUT_MS, oob = false } = options;
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) {
        reject(
          new QmpLost(`${command} was not sent: ${this.#lost.message}`, { cause: this.#lost }),
        );
        return;
      }
      const timer = setTimeout(() => {
        this.#session.forget(id);
        this.#settled();
        reject(new QmpTimeout(command, timeoutMs));
      }, timeoutMs);
      const call: Call = { command, timer, resolve, reject };
      const id = this.#session.ask(call, command, args, { oob: oob && this.#oob });
      this.#calls += 1;
      this.#socket.ref();
      this.#send();
    });
  }

  /** Hangs up. QEMU lives on, and its monitor takes the next client. */
  close(): void {
    this.#end("the monitor was closed here");
  }

  #send(): void {
    for (const line of this.#session.sendable()) this.#socket.write(line);
  }

  #read(chunk: Buffer): void {
    try {
      for (const line of this.#lines.push(chunk)) {
        if (this.closed) return;
        this.#hear(line);
      }
    } catch (error) {
      if (!(error instanceof QmpRubbish)) throw error;
      this.#end(`what came from the monitor is not QMP: ${error.message}`, error);
    }
  }

  #hear(line: string): void {
    const heard = this.#session.hear(line);
    switch (heard.kind) {
      case "greeting":
        this.#greeted?.resolve(heard.greeting);
        return;
      case "event":
        this.emit("event", heard.event);
        return;
      case "returned":
        this.#settled(heard.call);
        heard.call.resolve(heard.value);
        break;
      case "refused": {
        const { call, description } = heard;
        this.#settled(call);
        call.reject(new QmpError(call.command, heard.class, description));
        break;
      }
      case "late":
        break;
    }
    this.#send(); // an answer makes room for the next command
  }

  #settled(call?: Call): void {
    if (call !== undefined) clearTimeout(call.timer);
    this.#calls -= 1;
    if (this.#calls === 0 && !this.#idleHoldsProcess) this.#socket.unref();
  }

  /** The first reason is kept. Nobody is left waiting. */
  #end(reason: string, cause?: Error): void {
    if (this.#lost !== undefined) return;
    const lost = new QmpLost(`${reason} (${this.path})`, { cause });
    this.#lost = lost;
    this.#greeted?.reject(lost);
    for (const call of this.#session.unanswered()) {
      this.#settled(call);
      call.reject(new QmpLost(`no answer to ${call.command}: ${lost.message}`, { cause: lost }));
    }
    this.#socket.destroy();
  }
}
