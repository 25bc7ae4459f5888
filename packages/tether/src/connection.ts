/*
 * grpc-js has one event, `cancelled`, for everything that can end a call. What the call's
 * connection looked like at that moment tells the causes apart, so each connection is watched for
 * the signs that only the other side can give: FIN, RST, GOAWAY.
 */
import type { Http2Session } from "node:http2";

/** What is known of one caller's connection. */
export class Connection {
  #left = false;
  #failed = false;
  /** Until it closes: what is asked of a connection that is gone needs none of it. */
  #session: Http2Session | undefined;

  constructor(
    /** Names it within this process; travels in every call's metadata, see `listener.ts`. */
    readonly id: string,
    session: Http2Session,
  ) {
    this.#session = session;
    session.once("close", () => {
      this.#session = undefined;
    });
    const { socket } = session;
    // Over TLS only the session's own socket hears these: the raw one below it hears `close` alone.
    socket.on("end", () => {
      this.#left = true;
    });
    socket.on("error", () => {
      this.#left = true;
    });
    // A farewell (or nonsense) ends no call by itself; it tells why the session ends later. With
    // streams open grpc-js ends it at its next ping, which HTTP/2 forbids on a session that closes.
    session.on("goaway", () => {
      this.#failed = true;
    });
    session.on("error", () => {
      this.#failed = true;
    });
  }

  /**
   * `left`: the other side ended it. `dropped`: we did, as grpc-js does when a PING stays
   * unanswered. The session is asked and not its socket, which closes a few milliseconds after
   * the calls on it were cancelled.
   */
  get state(): "open" | "left" | "dropped" {
    if (this.#left) return "left";
    if (this.#session?.destroyed === false) return "open";
    return this.#failed ? "left" : "dropped";
  }
}
