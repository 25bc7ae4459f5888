/*
 * What names a call: the request id its caller sent, or one made here. It is told back in the answer's
 * metadata and in the details of an error, and stands in the one line that is logged about the call, so
 * that whoever was refused can name the line that says so. Refusals are logged at `info`, sparingly of
 * a caller that asks for them without end; whatever went well only at `debug`, since those calls have phase
 * changes to show.
 */
import { randomUUID } from "node:crypto";
import {
  DETAILS_KEY,
  isRequestId,
  REQUEST_ID_KEY,
  readTraceparent,
  TRACEPARENT_KEY,
  traceIdOf,
  withRequestInfo,
  writeTraceparent,
} from "@ferry/contract";
import { Metadata, ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import type { Logger } from "./logs.js";
import type { Sending } from "./own-words.js";
import { sparingEach } from "./sparing.js";
import { isMigrationId } from "./wire.js";

const FERRY = "/ferry.v1.";
/** Ends that are nobody's refusal. */
const QUIET: ReadonlySet<status> = new Set([status.OK, status.CANCELLED, status.DEADLINE_EXCEEDED]);

/** Refused calls that are told of in a minute, from each address: more than a controller has that only tries again. */
const REFUSED_LINES_MAX = 600;

/** What the metadata of a call says of it. */
export interface CallIds {
  readonly requestId: string;
  /** As the caller sent it, if it is one, without what a later version of the standard adds: it is kept, and sent on. */
  readonly traceparent: string | undefined;
}

export function callIdsOf(metadata: Metadata): CallIds {
  const requestId = textOf(metadata, REQUEST_ID_KEY);
  const context = readTraceparent(textOf(metadata, TRACEPARENT_KEY));
  return {
    requestId: isRequestId(requestId) ? requestId : randomUUID(),
    traceparent: context && writeTraceparent(context),
  };
}

/** Put it innermost, so that it sees what every other interceptor answers. */
export function callIds(log: Logger): ServerInterceptor {
  const refused = sparingEach(REFUSED_LINES_MAX, (unsaid, words: object) =>
    log.info(unsaid === 0 ? words : { ...words, unsaid }, "call"),
  );
  return ({ path }, call) => {
    if (!path.startsWith(FERRY)) return new ServerInterceptingCall(call);
    const startedAt = performance.now();
    let peer = "unknown";
    let ids: CallIds = { requestId: "", traceparent: undefined };
    let migrationId: string | undefined;
    let ended = false;
    const end = (code: status) => {
      if (ended) return; // every call is "cancelled" once more after its status was sent
      ended = true;
      const quiet = QUIET.has(code);
      if (!log.isLevelEnabled(quiet ? "debug" : "info")) return;
      const traceId =
        readTraceparent(ids.traceparent)?.traceId ?? (migrationId && traceIdOf(migrationId));
      const words = {
        call: path.slice(1),
        code: status[code],
        request_id: ids.requestId,
        ...(migrationId === undefined ? {} : { migration_id: migrationId }),
        ...(traceId === undefined ? {} : { trace_id: traceId }),
        peer,
        duration_ms: Math.round(performance.now() - startedAt),
      };
      if (quiet) log.debug(words, "call");
      else refused(peer.replace(/:\d+$/, ""), words);
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            peer = call.getPeer(); // later it may be gone
            ids = callIdsOf(metadata);
            metadata.set(REQUEST_ID_KEY, ids.requestId); // handlers read it there, made or not
            pass(metadata);
          },
          onReceiveMessage: (message, pass) => {
            migrationId ??= migrationIdIn(message);
            pass(message);
          },
          onCancel: () => end(status.CANCELLED),
        }),
      sendMetadata: (metadata, next) => {
        metadata.set(REQUEST_ID_KEY, ids.requestId);
        next(metadata);
      },
      sendStatus: (sending, next) => {
        end(sending.code ?? status.UNKNOWN);
        next(named(sending, ids.requestId));
      },
    });
  };
}

function named(sending: Sending, requestId: string): Sending {
  const { code, details: message } = sending;
  const metadata = sending.metadata?.clone() ?? new Metadata();
  metadata.set(REQUEST_ID_KEY, requestId);
  if (code !== status.OK) {
    const [packed] = metadata.get(DETAILS_KEY);
    const details = Buffer.isBuffer(packed) ? packed : undefined;
    metadata.set(DETAILS_KEY, withRequestInfo(details, { code, message, requestId }));
  }
  return { ...sending, metadata };
}

function textOf(metadata: Metadata, key: string): string {
  const [value] = metadata.get(key);
  return typeof value === "string" ? value : "";
}

/** Requests name their migration themselves; Prepare's does so in its first message. */
function migrationIdIn(message: unknown): string | undefined {
  const id =
    field(message, "migrationId") ??
    field(field(field(message, "message"), "value"), "migrationId");
  return typeof id === "string" && isMigrationId(id) ? id.toLowerCase() : undefined;
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
