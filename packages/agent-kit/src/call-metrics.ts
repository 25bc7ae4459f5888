/* Counts and times every call under the names that gRPC dashboards expect. */
import {
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServerMethodDefinition,
  status,
} from "@grpc/grpc-js";
import type { CallMetrics } from "./metrics.js";

export function callMetrics(metrics: CallMetrics): ServerInterceptor {
  return (definition, call) => {
    const [, grpc_service = "", grpc_method = ""] = definition.path.split("/");
    const labels = { grpc_type: typeOf(definition), grpc_service, grpc_method };
    const received = metrics.received.labels(labels);
    const sent = metrics.sent.labels(labels);
    metrics.started.inc(labels);
    const time = metrics.seconds.startTimer(labels);
    let ended = false;
    const end = (code: status) => {
      if (ended) return; // every call is "cancelled" once more after its status was sent
      ended = true;
      time();
      metrics.handled.inc({ ...labels, grpc_code: status[code] });
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMessage: (message, pass) => {
            received.inc();
            pass(message);
          },
          onCancel: () =>
            end(
              Number(call.getDeadline()) <= Date.now()
                ? status.DEADLINE_EXCEEDED
                : status.CANCELLED,
            ),
        }),
      sendMessage: (message, next) => {
        sent.inc();
        next(message);
      },
      sendStatus: (sending, next) => {
        end(sending.code ?? status.UNKNOWN);
        next(sending);
      },
    });
  };
}

function typeOf({ requestStream, responseStream }: ServerMethodDefinition<unknown, unknown>) {
  if (requestStream) return responseStream ? "bidi_stream" : "client_stream";
  return responseStream ? "server_stream" : "unary";
}
