/*
 * One agent's address, and calls to it. Each agent gets a connection of its own, so that nothing
 * else in this process can delay a tether or end it. Calls are described by the generated service
 * definitions, or by any others of the same shape.
 */
import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
} from "@grpc/grpc-js";
import { CallNames, named } from "./call-names.js";

/** A method, as ts-proto's and proto-loader's definitions describe it. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

export interface CallOptions {
  /** Gives up after this time, in milliseconds. The agent may have heard all the same. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /**
   * The caller's place in a trace, as W3C writes it: agents log and trace what they do under it. Undefined: the one that
   * the agent was made with, if there is one.
   */
  readonly traceparent?: string | undefined;
}

const CHANNEL_OPTIONS = {
  "grpc.use_local_subchannel_pool": 1,
  // A dead agent is noticed; the time is generous, because a false alarm would cut the tether.
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 20_000,
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 2_000,
};

export class Agent {
  readonly #client: Client;
  readonly #names: CallNames;

  constructor(
    /** "host:port" */
    readonly address: string,
    credentials: ChannelCredentials,
    options: ChannelOptions = {},
    /** Of every call that names none of its own. */
    traceparent?: string,
  ) {
    this.#names = new CallNames(traceparent);
    this.#client = new Client(address, credentials, { ...CHANNEL_OPTIONS, ...options });
  }

  unary<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    { timeoutMs, signal, traceparent }: CallOptions = {},
  ): Promise<Response> {
    const metadata = this.#names.next(traceparent);
    return new Promise((resolve, reject) => {
      const call = this.#client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        metadata,
        timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
        (error, response) => {
          stop();
          if (error === null && response !== undefined) resolve(response);
          else reject(named(error ?? new Error(`${method.path} answered nothing`), metadata));
        },
      );
      const stop = cancelOn(signal, call);
    });
  }

  /** A stream of answers. Leaving the loop, or the signal, hangs up. */
  async *watch<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    { signal, traceparent }: CallOptions = {},
  ): AsyncGenerator<Response> {
    const metadata = this.#names.next(traceparent);
    const call: ClientReadableStream<Response> = this.#client.makeServerStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
    );
    call.on("error", (error) => named(error, metadata)); // the loop throws it; after the loop nobody is interested
    const stop = cancelOn(signal, call);
    try {
      for await (const response of call) yield response as Response; // Readable is not generic
    } finally {
      stop();
      call.cancel();
    }
  }

  /** A stream both ways. Whoever opens it must listen to `error`, and cancel it in the end. */
  duplex<Request, Response>(
    method: Method<Request, Response>,
    { traceparent }: Pick<CallOptions, "traceparent"> = {},
  ): ClientDuplexStream<Request, Response> {
    return this.#client.makeBidiStreamRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      this.#names.next(traceparent),
    );
  }

  /** Whether a connection stands within that time. */
  ready(withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      this.#client.waitForReady(Date.now() + withinMs, (error) => resolve(error === undefined));
    });
  }

  /** Ends the connection and every call on it, a tether too. */
  close(): void {
    this.#client.close();
  }
}

/** Cancels the call when the signal comes; answers how to stop listening for it. */
function cancelOn(signal: AbortSignal | undefined, call: { cancel(): void }): () => void {
  const cancel = () => call.cancel();
  if (signal?.aborted === true) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  return () => signal?.removeEventListener("abort", cancel);
}
