import type { Http2Session } from "node:http2";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { Connection } from "./connection.js";

/** What a handler holds of a call, as far as tethers are concerned. */
export type Call = Pick<
  ServerDuplexStream<unknown, unknown>,
  "cancelled" | "metadata" | "getDeadline"
> & {
  on(event: "cancelled", listener: () => void): unknown;
  off(event: "cancelled", listener: () => void): unknown;
};

/**
 * The metadata key under which a call carries its connection's name. `call.getPeer()` would not do:
 * it is "unknown" as soon as the call was cancelled, and for every unix socket. A caller cannot
 * forge it, since it is overwritten on every call that comes in.
 */
export const CONNECTION_KEY = "ferry-connection";

/** A call may be asked about after its connection is gone, but not for long: this many are kept. */
const GONE_MAX = 1_024;

/** The connections of one listener. */
export class Connections {
  readonly #byId = new Map<string, Connection>();
  readonly #bySession = new WeakMap<Http2Session, Connection>();
  readonly #gone: string[] = [];
  #count = 0;

  /** Connections whose HTTP/2 session is there now. */
  get open(): number {
    return this.#byId.size - this.#gone.length;
  }

  watch(session: Http2Session): Connection {
    this.#count += 1;
    const connection = new Connection(String(this.#count), session);
    this.#byId.set(connection.id, connection);
    this.#bySession.set(session, connection);
    session.once("close", () => this.#forget(connection.id));
    return connection;
  }

  ofSession(session: Http2Session): Connection | undefined {
    return this.#bySession.get(session);
  }

  /** The connection a call came over; undefined if it came through some other listener. */
  of(call: Pick<Call, "metadata">): Connection | undefined {
    const [id] = call.metadata.get(CONNECTION_KEY);
    return typeof id === "string" ? this.#byId.get(id) : undefined;
  }

  /** Those that are open and not outdated yet. */
  *current(): Generator<Connection> {
    const gone = new Set(this.#gone);
    for (const connection of this.#byId.values()) {
      if (!gone.has(connection.id) && !connection.isOutdated) yield connection;
    }
  }

  #forget(id: string): void {
    this.#gone.push(id);
    if (this.#gone.length <= GONE_MAX) return;
    const oldest = this.#gone.shift();
    if (oldest !== undefined) this.#byId.delete(oldest);
  }
}
