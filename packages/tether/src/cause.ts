/** Why a tether was cut. The first evidence wins: what comes later is usually its consequence. */
export type CutCause =
  /** The caller ended the stream, and its connection is still there. */
  | "cancelled"
  /** The connection ended: FIN, RST or GOAWAY was seen, as when the caller's process died. */
  | "connection_lost"
  /** The caller stopped answering HTTP/2 PING, and nothing was heard from its connection. */
  | "keepalive"
  /** The caller asked for heartbeats and stopped sending them, or sent them by the hundred. */
  | "heartbeat"
  /** The call's own deadline passed. */
  | "deadline"
  /** This agent is going away. */
  | "shutdown";
