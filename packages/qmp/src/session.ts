/*
 * The conversation, without a socket or a clock: which command may be sent now, and what a line
 * that came in means. `Call` is whatever the owner remembers of a command until it is answered.
 *
 * At most IN_BAND_MAX commands are on their way at once. QEMU queues eight and then stops *reading*
 * (monitor/qmp.c: QMP_REQ_QUEUE_LEN_MAX), and an out-of-band `yank` that nobody reads frees nobody.
 */
import { QmpRubbish } from "./errors.js";

/** Commands on their way to QEMU at once, out-of-band ones aside. One less than QEMU's queue holds. */
export const IN_BAND_MAX = 7;

export type Arguments = Readonly<Record<string, unknown>>;

/** Something QEMU tells without being asked. */
export interface QmpEvent {
  /** QEMU's name of it, e.g. "STOP". */
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Host's wall clock when it happened. */
  readonly timestamp: { readonly seconds: number; readonly microseconds: number };
}

export interface Greeting {
  /** e.g. "7.2.22". */
  readonly version: string;
  /** What the monitor offers; "oob" is the only one there is. */
  readonly capabilities: readonly string[];
}

export type Heard<Call> =
  | { readonly kind: "greeting"; readonly greeting: Greeting }
  | { readonly kind: "event"; readonly event: QmpEvent }
  | { readonly kind: "returned"; readonly call: Call; readonly value: unknown }
  | {
      readonly kind: "refused";
      readonly call: Call;
      readonly class: string;
      readonly description: string;
    }
  | { readonly kind: "late" }; // the answer to a command that nobody waits for any more

interface Asked<Call> {
  /** Undefined once its caller stopped waiting. QEMU still has it, so it still takes its place. */
  call: Call | undefined;
  readonly oob: boolean;
}

export class Session<Call> {
  readonly #sent = new Map<number, Asked<Call>>();
  /** In-band commands that wait for a place; a Map keeps their order. */
  readonly #waiting = new Map<number, { readonly call: Call; readonly line: string }>();
  #lastId = 0;
  #inBand = 0;
  #greeted = false;
  #urgent: string[] = [];

  /** Takes a command; `sendable` tells when it may go. Answers its id. */
  ask(
    call: Call,
    command: string,
    args: Arguments | undefined,
    { oob = false }: { oob?: boolean } = {},
  ): number {
    this.#lastId += 1;
    const id = this.#lastId;
    const verb = oob ? "exec-oob" : "execute";
    const line = `${JSON.stringify({ [verb]: command, arguments: args, id })}\n`;
    if (oob) {
      this.#sent.set(id, { call, oob });
      this.#urgent.push(line);
    } else {
      this.#waiting.set(id, { call, line });
    }
    return id;
  }

  /** The lines that may be sent now, in order; they count as sent. */
  sendable(): string[] {
    const lines = this.#urgent;
    this.#urgent = [];
    for (const [id, { call, line }] of this.#waiting) {
      if (this.#inBand >= IN_BAND_MAX) break;
      this.#waiting.delete(id);
      this.#sent.set(id, { call, oob: false });
      this.#inBand += 1;
      lines.push(line);
    }
    return lines;
  }

  /** Its caller stopped waiting. One that was not sent yet never will be. */
  forget(id: number): void {
    this.#waiting.delete(id);
    const asked = this.#sent.get(id);
    if (asked !== undefined) asked.call = undefined;
  }

  /** Every call that was not answered, at the end of the connection. */
  unanswered(): Call[] {
    const sent = [...this.#sent.values()].flatMap(({ call }) => (call === undefined ? [] : [call]));
    const waiting = [...this.#waiting.values()].map(({ call }) => call);
    this.#sent.clear();
    this.#waiting.clear();
    return [...sent, ...waiting];
  }

  /** What a line means. Throws QmpRubbish for one that has no place in this conversation. */
  hear(line: string): Heard<Call> {
    const message = parse(line);
    if (!this.#greeted) {
      const greeting = readGreeting(message);
      this.#greeted = true;
      return { kind: "greeting", greeting };
    }
    if (typeof message.event === "string") return { kind: "event", event: readEvent(message) };
    if ("return" in message || "error" in message) return this.#answer(message);
    throw new QmpRubbish(`neither an answer nor an event: ${shorten(line)}`);
  }

  #answer(message: Record<string, unknown>): Heard<Call> {
    const { id, error } = message;
    if (typeof id !== "number") {
      // QEMU answers without an id when it could not read what we sent: whose call that was is lost.
      throw new QmpRubbish(`an answer without an id: ${shorten(JSON.stringify(message))}`);
    }
    const asked = this.#sent.get(id);
    if (asked === undefined) throw new QmpRubbish(`an answer to command ${id}, which nobody gave`);
    this.#sent.delete(id);
    if (!asked.oob) this.#inBand -= 1;
    const { call } = asked;
    if (call === undefined) return { kind: "late" };
    if (error === undefined) return { kind: "returned", call, value: message.return };
    const { class: name, desc } = isObject(error) ? error : {};
    return {
      kind: "refused",
      call,
      class: typeof name === "string" ? name : "GenericError",
      description: typeof desc === "string" ? desc : "no reason given",
    };
  }
}

function parse(line: string): Record<string, unknown> {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch (cause) {
    throw new QmpRubbish(`a line that is not JSON: ${shorten(line)}`, { cause });
  }
  if (isObject(message)) return message;
  throw new QmpRubbish(`a line that is not a JSON object: ${shorten(line)}`);
}

function readGreeting({ QMP }: Record<string, unknown>): Greeting {
  if (!isObject(QMP)) throw new QmpRubbish("no QMP greeting: is this socket really a QMP monitor?");
  const { version, capabilities } = QMP;
  const qemu = isObject(version) && isObject(version.qemu) ? version.qemu : {};
  return {
    version: `${qemu.major}.${qemu.minor}.${qemu.micro}`,
    capabilities: Array.isArray(capabilities) ? capabilities.filter(isString) : [],
  };
}

function readEvent({ event, data, timestamp }: Record<string, unknown>): QmpEvent {
  const { seconds, microseconds } = isObject(timestamp) ? timestamp : {};
  return {
    event: String(event),
    data: isObject(data) ? data : {},
    // QEMU writes -1 in both when it cannot read the clock.
    timestamp: {
      seconds: typeof seconds === "number" ? seconds : -1,
      microseconds: typeof microseconds === "number" ? microseconds : -1,
    },
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

/** Rubbish is shown, but not all of it. */
function shorten(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
