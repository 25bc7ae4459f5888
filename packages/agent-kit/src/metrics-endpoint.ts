/*
 * Plain HTTP for Prometheus (/metrics) and for probes that cannot speak mutual TLS (/readyz).
 * It only ever reads, and everything about it is bounded.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Registry } from "prom-client";
import { splitAddress } from "./config.js";
import { metricsText } from "./metrics-text.js";

const CONNECTIONS_MAX = 64;
const REQUEST_TIMEOUT_MS = 5_000;
const HEADER_BYTES_MAX = 8_192;

export interface MetricsEndpointOptions {
  /** "host:port"; port 0: any free one. */
  readonly listen: string;
  readonly registry: Registry;
  /** Brings gauges up to date before they are told. */
  readonly refresh?: () => Promise<void>;
  ready(): boolean;
}

export interface MetricsEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

export async function serveMetrics(options: MetricsEndpointOptions): Promise<MetricsEndpoint> {
  /** Whoever asks while a text is being made gets that one: many askers cost no more than one. */
  let making: Promise<string> | undefined;
  const text = () => {
    making ??= make(options).finally(() => {
      making = undefined;
    });
    return making;
  };
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
    },
    ({ method, url }, response) => {
      if (method !== "GET" && method !== "HEAD") {
        answer(response.setHeader("Allow", "GET, HEAD"), 405, "only GET\n");
        return;
      }
      switch (url?.split("?")[0]) {
        case "/metrics":
          text().then(
            (made) => {
              response.setHeader("Content-Type", options.registry.contentType);
              answer(response, 200, made);
            },
            () => answer(response, 500, "metrics are out of order\n"),
          );
          return;
        case "/readyz":
          if (options.ready()) answer(response, 200, "serving\n");
          else answer(response, 503, "not serving\n");
          return;
        default:
          answer(response, 404, "there are /metrics and /readyz\n");
      }
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  const { host, port } = splitAddress(options.listen);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new Error(`metrics_listen: cannot listen on ${options.listen}`, { cause })),
    );
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function make({ registry, refresh }: MetricsEndpointOptions): Promise<string> {
  await refresh?.();
  return metricsText(registry);
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  if (!response.hasHeader("Content-Type")) {
    response.setHeader("Content-Type", "text/plain; charset=utf-8");
  }
  response.end(text);
}
