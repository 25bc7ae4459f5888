/*
 * Every PERMISSION_DENIED an agent sends, whoever decided it, is counted and logged: with the
 * identity that was seen and the rule that was missed. A caller who asks a thousand times a second
 * does not fill the disk: of a burst a few lines are written, and how many were left out.
 */
import { readFault } from "@ferry/contract";
import { ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import type { Logger } from "./logs.js";
import type { Metrics } from "./metrics.js";

const LINES_MAX = 20;
const WINDOW_MS = 60_000;

export interface RefusalsOptions {
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "permissionDenied">;
  /** Milliseconds, from any start. */
  readonly now?: () => number;
}

export function refusals({
  log,
  metrics,
  now = () => performance.now(),
}: RefusalsOptions): ServerInterceptor {
  let begun = Number.NEGATIVE_INFINITY;
  let lines = 0;
  let unsaid = 0;
  const tell = (path: string, peer: string, sent: { details?: string | null }) => {
    const fault = readFault(sent);
    metrics.permissionDenied.inc({ reason: fault?.reason ?? "FORBIDDEN" });
    if (now() - begun > WINDOW_MS) {
      begun = now();
      lines = 0;
    }
    lines += 1;
    if (lines > LINES_MAX) {
      unsaid += 1;
      return;
    }
    const { identity, roles, wanted } = fault?.metadata ?? {};
    log.warn(
      { method: path.slice(1), peer, identity, roles, wanted, why: sent.details, unsaid },
      "permission denied",
    );
    unsaid = 0;
  };
  return ({ path }, call) =>
    new ServerInterceptingCall(call, {
      sendStatus: (sending, next) => {
        if (sending.code === status.PERMISSION_DENIED) tell(path, call.getPeer(), sending);
        next(sending);
      },
    });
}
