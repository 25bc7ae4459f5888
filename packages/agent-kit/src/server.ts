/*
 * Handlers are plain functions and generators with a deadline, a signal and a caller; this file
 * turns them into what grpc-js calls. Only a Fault speaks to the caller, and what the system refuses this
 * agent, put in words: whatever else is thrown is a bug, is logged whole, and is answered INTERNAL.
 */
import { Fault, toStatus } from "@ferry/contract";
import { isShort } from "@ferry/qmp";
import { StoreUnwritable } from "@ferry/store";
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  ServerDuplexStream,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { type CallIds, callIdsOf } from "./call-ids.js";
import type { Authenticated, PeerIdentity } from "./identity.js";
import type { Logger } from "./logs.js";

/** What a handler knows of its call beside the request. */
export interface CallContext extends CallIds {
  /** When the caller stops waiting; Infinity if it never does. */
  readonly deadline: Date | number;
  /** Fires when the caller is gone, or the deadline has passed. */
  readonly signal: AbortSignal;
  readonly peer: PeerIdentity;
}

/** A stream of messages both ways, for a handler that runs until it returns. */
export interface BidiCall<Request, Response> extends CallContext {
  /** Ends when the caller half-closes, or is gone (then `signal` fires as well, maybe a moment later). */
  readonly requests: AsyncIterable<Request>;
  /** Sends, unless the caller is gone or does not read: see WRITES_QUEUED_MAX. */
  write(response: Response): void;
}

/**
 * Answers that may wait for a caller who does not read. Further ones are dropped: what travels on
 * such a stream is restated by the next beat, and an agent's memory must not be the caller's.
 */
const WRITES_QUEUED_MAX = 64;

/** Refuses a call that was meant for another agent; without an addressee any agent may answer. */
export function checkAddressee(request: { expectedAgentId: string }, agentId: string): void {
  const { expectedAgentId } = request;
  if (expectedAgentId === "" || expectedAgentId === agentId) return;
  throw new Fault(
    "WRONG_HOST",
    `this is ${agentId}, and the call was meant for ${expectedAgentId.slice(0, 80)}: dial the agent you meant`,
    { metadata: { agent_id: agentId } },
  );
}

/** What all handlers of a server share. */
export interface HandlerOptions {
  readonly log: Logger;
  who(call: Authenticated, metadata: Metadata): PeerIdentity;
}

/** The adapters of one server. */
export function adapters({ log, who }: HandlerOptions) {
  return {
    unary:
      <Request, Response>(
        handler: (request: Request, context: CallContext) => Promise<Response>,
      ): handleUnaryCall<Request, Response> =>
      (call, callback) => {
        const answer = async () => handler(call.request, contextOf(call, who));
        answer().then(
          (response) => callback(null, response),
          (error: unknown) => callback(statusOf(error, call, log)),
        );
      },

    serverStream:
      <Request, Response>(
        handler: (request: Request, context: CallContext) => AsyncIterable<Response>,
      ): handleServerStreamingCall<Request, Response> =>
      (call) => {
        stream(call, handler, who).catch((error: unknown) =>
          call.emit("error", statusOf(error, call, log)),
        );
      },

    bidi:
      <Request, Response>(
        handler: (call: BidiCall<Request, Response>) => Promise<void>,
      ): handleBidiStreamingCall<Request, Response> =>
      (call) => {
        converse(call, handler, who).catch((error: unknown) =>
          call.emit("error", statusOf(error, call, log)),
        );
      },
  };
}

/** A call's end is heard through its signal. */
function contextOf(call: ServerCall, who: HandlerOptions["who"]): CallContext {
  const hangUp = new AbortController();
  if (call.cancelled) hangUp.abort();
  call.once("cancelled", () => hangUp.abort());
  return {
    deadline: call.getDeadline(),
    signal: hangUp.signal,
    peer: who(call, call.metadata),
    ...callIdsOf(call.metadata),
  };
}

type ServerCall = Authenticated & {
  readonly cancelled: boolean;
  readonly metadata: Metadata;
  getDeadline(): Date | number;
  once(event: "cancelled", listener: () => void): unknown;
};

async function stream<Request, Response>(
  call: ServerWritableStream<Request, Response>,
  handler: (request: Request, context: CallContext) => AsyncIterable<Response>,
  who: HandlerOptions["who"],
): Promise<void> {
  const context = contextOf(call, who);
  const { signal } = context;
  for await (const response of handler(call.request, context)) {
    if (signal.aborted) return;
    if (!call.write(response)) await drained(call, signal);
  }
  if (!signal.aborted) call.end();
}

async function converse<Request, Response>(
  call: ServerDuplexStream<Request, Response>,
  handler: (call: BidiCall<Request, Response>) => Promise<void>,
  who: HandlerOptions["who"],
): Promise<void> {
  const context = contextOf(call, who);
  const { signal } = context;
  await handler({
    ...context,
    requests: requestsOf(call, signal),
    write: (response) => {
      if (signal.aborted || call.writableEnded) return;
      if (call.writableLength < WRITES_QUEUED_MAX) call.write(response);
    },
  });
  if (!signal.aborted) call.end();
}

/**
 * One message at a time, in order. The stream's own iterator destroys the call when it is left early,
 * and waiting for `readable` again and again can miss one; so messages are taken as they come, and
 * the caller is made to wait when some are not handled yet.
 */
async function* requestsOf<Request>(
  call: ServerDuplexStream<Request, unknown>,
  signal: AbortSignal,
): AsyncGenerator<Request> {
  const waiting: Request[] = [];
  let ended = false;
  call.on("data", (request: Request) => {
    waiting.push(request);
    call.pause();
    call.emit(CAME);
  });
  call.once("end", () => {
    ended = true;
    call.emit(CAME);
  });
  while (!signal.aborted) {
    const request = waiting.shift();
    if (request !== undefined) yield request;
    else if (ended) return;
    else {
      call.resume();
      await happened(call, [CAME], signal);
    }
  }
}

/** Our own word on the call's emitter: something came in. */
const CAME = Symbol("came");

function drained(call: ServerWritableStream<unknown, unknown>, signal: AbortSignal): Promise<void> {
  return happened(call, ["drain"], signal);
}

/** Resolves when one of the events happens, or the caller is gone. */
function happened(
  call: NodeJS.EventEmitter,
  events: readonly (string | symbol)[],
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const done = () => {
      for (const event of events) call.removeListener(event, done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    for (const event of events) call.on(event, done);
    signal.addEventListener("abort", done);
  });
}

/** What the caller is told; a bug is logged here, once. */
export function statusOf(
  error: unknown,
  call: { getPath(): string; readonly metadata: Metadata },
  log: Logger,
) {
  if (error instanceof Fault) return toStatus(error);
  const at = { err: error, path: call.getPath(), request_id: callIdsOf(call.metadata).requestId };
  const fault = inWords(error);
  log.error(at, fault?.message ?? "a call failed: this is a bug");
  return toStatus(fault);
}

/** What the system refuses this agent, as a caller is told it; undefined for anything else. */
function inWords(error: unknown): Fault | undefined {
  // Asked first: a write that lacked a descriptor says nothing of the disk.
  if (isShort(error)) {
    const what = "this agent has no descriptor, process or memory left to do this with";
    return new Fault("HOST_EXHAUSTED", `${what} (${error.code})`);
  }
  if (error instanceof StoreUnwritable) {
    return new Fault("STATE_DIRECTORY_FULL", "this agent's state directory cannot be written");
  }
  return undefined;
}
