/*
 * HTTP for Prometheus (/metrics) and simple probes (/readyz): over mutual TLS, for whoever may look;
 * plain where only this machine can reach it. It only ever reads, and everything about it is bounded.
 */
import { createServer as createPlain, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecure } from "node:https";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import type { Registry } from "prom-client";
import type { Certificates } from "./certificates.js";
import { splitAddress } from "./config.js";
import { identityIn } from "./identity.js";
import { metricsText } from "./metrics-text.js";
import { isAllowed, METRICS } from "./permissions.js";
import type { PolicyInForce } from "./policy-file.js";

const HEADER_BYTES_MAX = 8_192;
/** Whoever never sends, or never reads, must not have a connection for good. */
const BOUNDS: Bounds = { connectionsMax: 64, requestMs: 5_000, answerMs: 10_000 };
/** Node looks for connections that are over time this often, in milliseconds; by itself only every 30 s. */
const LOOK_EVERY_MS = 1_000;

interface Bounds {
  readonly connectionsMax: number;
  /** For a request to have come, from its connection or the answer before it on. */
  readonly requestMs: number;
  /** For an answer to be made, and then taken. Prometheus gives up after 10 s by itself. */
  readonly answerMs: number;
}

export interface MetricsEndpointOptions {
  /** "host:port"; port 0: any free one. */
  readonly listen: string;
  readonly registry: Registry;
  /** Undefined: plain HTTP, and anybody may look. */
  readonly tls?:
    | { readonly certificates: Certificates; readonly policy: Pick<PolicyInForce, "current"> }
    | undefined;
  /** Brings gauges up to date before they are told. */
  readonly refresh?: () => Promise<void>;
  ready(): boolean;
  /** A test's own. */
  readonly bounds?: Bounds;
}

export interface MetricsEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

export async function serveMetrics(options: MetricsEndpointOptions): Promise<MetricsEndpoint> {
  /** Whoever asks while a text is being made gets that one: many askers cost no more than one. */
  let making: Promise<Buffer> | undefined;
  const text = () => {
    making ??= make(options).finally(() => {
      making = undefined;
    });
    return making;
  };
  const { connectionsMax, requestMs, answerMs } = options.bounds ?? BOUNDS;
  const limits = {
    maxHeaderSize: HEADER_BYTES_MAX,
    requestTimeout: requestMs,
    headersTimeout: requestMs,
    keepAliveTimeout: requestMs,
    connectionsCheckingInterval: LOOK_EVERY_MS,
    handshakeTimeout: requestMs,
  };
  const answerTo = (request: IncomingMessage, response: ServerResponse) => {
    const untaken = setTimeout(() => request.socket.destroy(), answerMs).unref();
    response.once("close", () => clearTimeout(untaken));
    const { method, url } = request;
    const refusal = refusalOf(request, options);
    if (refusal !== undefined) {
      answer(response, 403, refusal);
      return;
    }
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
  };
  const server =
    options.tls === undefined
      ? createPlain(limits, answerTo)
      : secureServer(options.tls.certificates, limits, answerTo);
  server.maxConnections = connectionsMax;
  const { host, port } = splitAddress(options.listen);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(new Error(`metrics_listen: cannot listen on ${options.listen}`, { cause })),
    );
    server.listen(port, host, resolve);
  });
  server.on("error", () => {}); // an accept failed: the agent's own port tells of it, and unheard it would end the agent
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Every caller shows a certificate of our CA, and files that change are taken up. */
function secureServer(certificates: Certificates, limits: object, answerTo: Answer) {
  const server = createSecure(
    {
      ...limits,
      ...certificates.pems,
      requestCert: true,
      rejectUnauthorized: true,
    },
    answerTo,
  );
  certificates.onChange(() => {
    server.setSecureContext(certificates.pems);
    server.closeIdleConnections(); // whoever keeps one shows its certificate again
  });
  return server;
}

/** Why the caller may not look, in words; undefined: it may. */
function refusalOf(
  { socket }: IncomingMessage,
  { tls }: MetricsEndpointOptions,
): string | undefined {
  if (tls === undefined || !(socket instanceof TLSSocket)) return undefined;
  const { name, roles, policy } = identityIn(socket.getPeerCertificate(), tls.policy.current);
  if (isAllowed(METRICS, roles)) return undefined;
  return `metrics are for ${METRICS.join(", ")}, and ${name} is none of them in ${policy}\n`;
}

/** As bytes, which all who wait for them share. */
async function make({ registry, refresh }: MetricsEndpointOptions): Promise<Buffer> {
  await refresh?.();
  return Buffer.from(await metricsText(registry));
}

function answer(response: ServerResponse, status: number, text: string | Buffer): void {
  response.statusCode = status;
  if (!response.hasHeader("Content-Type")) {
    response.setHeader("Content-Type", "text/plain; charset=utf-8");
  }
  response.end(text);
}
