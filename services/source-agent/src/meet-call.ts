/*
 * Meet, the source's side: dials the destination agent, says the departure's word on every connect, at
 * every beat and when there is news, and dials again for as long as anybody needs it. A stream that
 * breaks says nothing about the guest.
 */
import { type PeerLine, within } from "@ferry/agent-kit";
import {
  type FaultRead,
  type MeetRequest,
  type MeetResponse,
  readFault,
  SourceWord,
  TRACEPARENT_KEY,
} from "@ferry/contract";
import { type ClientDuplexStream, Metadata, type StatusObject, status } from "@grpc/grpc-js";

const REDIAL_FIRST_MS = 50;
const REDIAL_LAST_MS = 1_000;

export interface MeetCallOptions {
  readonly beatMs: number;
  /** A connection of its own. */
  dial(): PeerLine;
  /** The trace the destination is to go on with, in metadata; undefined: none. */
  traceparent?(): string;
  /** What is said now. */
  say(): MeetRequest;
  /** What the destination says; called in order. */
  heard(response: MeetResponse): void;
  /** The stream broke or was refused. It is dialled again unless `close` is called. */
  broke(fault: FaultRead | undefined, error: Error): void;
}

export class MeetCall {
  #line: PeerLine | undefined;
  #stream: ClientDuplexStream<MeetRequest, MeetResponse> | undefined;
  #redialMs = REDIAL_FIRST_MS;
  #redial: NodeJS.Timeout | undefined;
  readonly #beat: NodeJS.Timeout;
  readonly #openedAt = performance.now();
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Resolves at the first answer. */
  readonly #answered: Promise<void>;
  #hearFirst: () => void = () => {};
  /** What was said last on this stream. */
  #said: MeetRequest | undefined;
  #tethered = false;
  #closed = false;

  constructor(readonly options: MeetCallOptions) {
    this.#answered = new Promise((resolve) => {
      this.#hearFirst = resolve;
    });
    this.#beat = setInterval(() => this.restate(), options.beatMs);
    this.#connect();
  }

  /** The destination spoke within the last `withinMs` and said that its caller's tether is held. */
  fresh(withinMs: number): boolean {
    return this.#tethered && performance.now() - this.#heardAt <= withinMs;
  }

  /** Nothing was heard for longer than `withinMs`. */
  silent(withinMs: number): boolean {
    return performance.now() - this.#heardAt > withinMs;
  }

  /** The same, for whoever asks right after an agent's start: one that was not called for so long yet is waited for. */
  async answers(withinMs: number): Promise<boolean> {
    const leftMs = this.#openedAt + withinMs - performance.now();
    if (leftMs > 0) await within(leftMs, this.#answered);
    return !this.silent(withinMs);
  }

  /** Says the word again, if there is anybody to say it to. */
  restate(): void {
    this.#say(this.options.say());
  }

  /** Says the word if it is another one than before: most steps mean nothing to the destination. */
  tell(): void {
    const word = this.options.say();
    if (this.#said === undefined || isNews(word, this.#said)) this.#say(word);
  }

  /** Says its last word and hangs up. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#beat);
    clearTimeout(this.#redial);
    this.tell();
    const stream = this.#stream;
    const line = this.#line;
    this.#stream = undefined;
    if (stream === undefined) {
      line?.hangUp();
      return;
    }
    stream.end();
    // A destination that does not hang up in turn must not keep the connection for ever.
    const last = setTimeout(() => stream.cancel(), REDIAL_LAST_MS);
    last.unref();
    stream.on("status", ({ code }: StatusObject) => {
      clearTimeout(last);
      if (code === status.OK) line?.giveBack();
      else line?.hangUp();
    });
  }

  #connect(): void {
    const { options } = this;
    this.#line ??= options.dial();
    const metadata = new Metadata();
    const traceparent = options.traceparent?.();
    if (traceparent !== undefined) metadata.set(TRACEPARENT_KEY, traceparent);
    const stream = this.#line.client.meet(metadata);
    this.#stream = stream;
    stream.on("data", (response: MeetResponse) => {
      this.#redialMs = REDIAL_FIRST_MS;
      this.#heardAt = performance.now();
      this.#hearFirst();
      this.#tethered = response.tethered;
      if (!this.#closed) options.heard(response);
    });
    stream.on("error", (error: Error) => this.#broke(stream, error));
    stream.on("end", () => this.#broke(stream, new Error("the destination ended Meet")));
    this.#said = undefined;
    this.tell();
  }

  #say(word: MeetRequest): void {
    if (this.#stream === undefined) return;
    this.#said = word;
    this.#stream.write(word);
  }

  #broke(stream: ClientDuplexStream<MeetRequest, MeetResponse>, error: Error): void {
    if (this.#stream !== stream || this.#closed) return;
    this.#stream = undefined;
    this.#redial = setTimeout(() => this.#connect(), this.#redialMs);
    this.#redialMs = Math.min(this.#redialMs * 2, REDIAL_LAST_MS);
    this.options.broke(readFault(error), error);
  }
}

/**
 * Whether the destination acts on what is new. When the guest stopped is told with `released`, and a
 * word that only asks, after one that said something, means nothing to it.
 */
function isNews(now: MeetRequest, said: MeetRequest): boolean {
  return (
    now.arrival !== said.arrival ||
    (now.word !== said.word && now.word !== SourceWord.UNSPECIFIED) ||
    now.acknowledged !== said.acknowledged
  );
}
