/*
 * What grpc-js refuses by itself: bytes that are no message, or one that is too large. It says so past
 * every interceptor and without details, so that a caller reads it as silence and repeats it, and whoever
 * counts hears of a call that was cancelled. Here such a status is put in words and then sent from outside,
 * as a handler's own: it is named, counted and logged like any other answer.
 */
import { Fault, toStatus } from "@ferry/contract";
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";

/** What grpc-js sends at a call's end; it does not export its own name for it. */
export type Sending = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

/** The interceptors, first the innermost, of a server whose every refusal is in words. */
export function inOwnWords(interceptors: readonly ServerInterceptor[]): ServerInterceptor {
  return (definition, call) => {
    const send = call.sendStatus.bind(call);
    let isFromOutside = false;
    let isAnswering = false;
    const innermost = new ServerInterceptingCall(call, {
      sendMessage: (message, next) => {
        isAnswering = true; // encoded while `next` runs
        next(message);
        isAnswering = false;
      },
      sendStatus: (sending, next) => {
        isFromOutside = true;
        next(sending);
      },
    });
    const outermost = interceptors.reduce(
      (inner, interceptor) => interceptor(definition, inner),
      innermost,
    );
    call.sendStatus = (sending) => {
      if (isFromOutside) send(sending);
      else outermost.sendStatus(inWords(sending, isAnswering ? "answer" : "request"));
    };
    return outermost;
  };
}

/** Ferry's words for what grpc-js found wrong with a message; any other end is left as it is. */
export function inWords(sending: Sending, message: "request" | "answer"): Sending {
  const why = sending.details ?? "no more is known";
  switch (sending.code) {
    case status.RESOURCE_EXHAUSTED:
      return toStatus(
        new Fault("MESSAGE_TOO_LARGE", `${why} (limits.message_bytes_max of this agent)`),
      );
    case status.INTERNAL:
      if (message === "answer") return sending; // a bug of ours
      return toStatus(
        new Fault(
          "INVALID_REQUEST",
          `the request cannot be read: ${why}. Encode it as this agent's contract says, which reflection serves`,
        ),
      );
    case status.UNIMPLEMENTED:
      return toStatus(
        new Fault("UNSUPPORTED", `${why}: send it as it is, or compressed with gzip or deflate`),
      );
    default:
      return sending;
  }
}
