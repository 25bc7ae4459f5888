/*
 * grpc-js has one event, `cancelled`, for everything that can end a call. What the call's
 * connection looked like at that moment tells the causes apart, so each connection is watched for
 * the signs that only the other side can give: FIN, RST, GOAWAY.
 */
import type { Http2Session, Http2Stream } from "node:http2";
import { type PeerCertificate, TLSSocket } from "node:tls";

/** What is known of one caller's connection. */
export class Connection {
  #left = false;
  #failed = false;
  #calls = 0;
  #isOutdated = false;
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

  /** A call began on it. */
  carries(stream: Http2Stream): void {
    this.#calls += 1;
    stream.once("close", () => {
      this.#calls -= 1;
      this.#endIdle();
    });
  }

  /** The certificate that the other side showed, and those that came with it; undefined without TLS, and of one that is gone. */
  get certificate(): PeerCertificate | undefined {
    const socket = this.#session?.socket;
    return socket instanceof TLSSocket ? socket.getPeerCertificate(true) : undefined;
  }

  /** What the other side showed would not let it in now. */
  get isOutdated(): boolean {
    return this.#isOutdated;
  }

  /**
   * It would not be let in now. It is ended as soon as no call is open on it, and not before: a farewell to a caller
   * that has calls open ends them, too, since grpc-js cannot ping on a connection that closes.
   */
  outdate(): void {
    this.#isOutdated = true;
    this.#endIdle();
  }

  #endIdle(): void {
    if (this.#isOutdated && this.#calls === 0) this.#session?.close();
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
