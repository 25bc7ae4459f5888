/*
 * A collector of spans, as agents know one: OTLP over HTTP, read by the words of its JSON encoding. It can
 * be made to hang, as a collector does whose own storage is gone.
 */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

interface Value {
  readonly stringValue?: string;
  readonly intValue?: number;
  readonly boolValue?: boolean;
}
interface Attribute {
  readonly key: string;
  readonly value: Value;
}
interface Exported {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly {
      readonly spans: readonly {
        readonly traceId: string;
        readonly spanId: string;
        readonly parentSpanId?: string;
        readonly name: string;
        readonly startTimeUnixNano: string;
        readonly endTimeUnixNano: string;
        readonly attributes: readonly Attribute[];
        readonly status: { readonly code?: number; readonly message?: string };
      }[];
    }[];
  }[];
}

/** One span, as it was received. */
export interface SpanSeen {
  /** "host-1/source" */
  readonly agentId: string;
  readonly traceId: string;
  readonly spanId: string;
  /** "" for a root. */
  readonly parentSpanId: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly attributes: Readonly<Record<string, Value[keyof Value]>>;
  /** Undefined: its status is no error. */
  readonly error: string | undefined;
}

/** OTLP's STATUS_CODE_ERROR. */
const ERROR = 2;

export class Collector {
  readonly spans: SpanSeen[] = [];
  /** Everything that came in, as it was sent. */
  readonly bodies: string[] = [];
  /** True: takes requests and answers none of them. */
  hangs = false;
  requests = 0;
  readonly #held: ServerResponse[] = [];

  private constructor(readonly server: Server) {}

  static async start(): Promise<Collector> {
    const server = createServer();
    const collector = new Collector(server);
    server.on("request", async (request, response) => {
      collector.requests += 1;
      const body = await text(request);
      if (collector.hangs) {
        collector.#held.push(response);
        return;
      }
      if (request.url !== "/v1/traces" || request.headers["content-type"] !== "application/json") {
        response.writeHead(415).end();
        return;
      }
      collector.#take(body);
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "0.0.0.0", resolve);
    });
    return collector;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port; // it listens on a port
  }

  /** Where an agent sends to, if it reaches us at that address. */
  endpoint(address: string): string {
    return `http://${address}:${this.port}/v1/traces`;
  }

  /** The spans of one trace. */
  trace(traceId: string): SpanSeen[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  close(): void {
    for (const response of this.#held) response.destroy();
    this.server.closeAllConnections();
    this.server.close();
  }

  #take(body: string): void {
    this.bodies.push(body);
    const { resourceSpans } = JSON.parse(body) as Exported; // what OTLP's JSON encoding promises
    for (const { resource, scopeSpans } of resourceSpans) {
      const agentId = String(valuesOf(resource.attributes)["service.instance.id"]);
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({
          agentId,
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId ?? "",
          name: span.name,
          startedAtMs: Number(BigInt(span.startTimeUnixNano) / 1_000n) / 1_000,
          endedAtMs: Number(BigInt(span.endTimeUnixNano) / 1_000n) / 1_000,
          attributes: valuesOf(span.attributes),
          error: span.status.code === ERROR ? (span.status.message ?? "") : undefined,
        });
      }
    }
  }
}

function valuesOf(attributes: readonly Attribute[]): SpanSeen["attributes"] {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.stringValue ?? value.intValue ?? value.boolValue,
    ]),
  );
}
