/*
 * Every PERMISSION_DENIED an agent sends, whoever decided it, is counted and logged: with the
 * identity that was seen and the rule that was missed. A caller who asks a thousand times a second
 * does not fill the disk: of a burst a few lines are written, and how many were left out.
 */
import { readFault } from "@ferry/contract";
import { ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import type { Logger } from "./logs.js";
import type { Metrics } from "./metrics.js";
import { sparing } from "./sparing.js";

const LINES_MAX = 20;

export interface RefusalsOptions {
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "permissionDenied">;
}

export function refusals({ log, metrics }: RefusalsOptions): ServerInterceptor {
  const say = sparing(LINES_MAX, (unsaid, words: object) =>
    log.warn({ ...words, unsaid }, "permission denied"),
  );
  const tell = (path: string, peer: string, sent: { details?: string | null }) => {
    const fault = readFault(sent);
    metrics.permissionDenied.inc({ reason: fault?.reason ?? "FORBIDDEN" });
    const { identity, roles, wanted } = fault?.metadata ?? {};
    say({ method: path.slice(1), peer, identity, roles, wanted, why: sent.details });
  };
  return ({ path }, call) =>
    new ServerInterceptingCall(call, {
      sendStatus: (sending, next) => {
        if (sending.code === status.PERMISSION_DENIED) tell(path, call.getPeer(), sending);
        next(sending);
      },
    });
}
