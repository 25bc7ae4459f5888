/*
 * How the two pumps' one connection is set up. It has no HTTP/2 pings: behind megabytes of pages an
 * answer comes late, and the agents, who watch the migration's progress, decide when silence is too long.
 */
import type { Http2Server, ServerHttp2Session } from "node:http2";
import { TUNNEL_DATA_BYTES_MAX } from "@ferry/contract";
import type { ChannelOptions, Server } from "@grpc/grpc-js";

/**
 * Bytes a sender may have under way before the receiver has read them. Half of it is the speed's limit, per
 * round trip: 200 MB/s at 10 ms. HTTP/2's 64 KiB were measured to be 3.6 MB/s there.
 */
export const WINDOW_BYTES = 4 * 1024 * 1024;
/** A message's data and its own few bytes. */
const MESSAGE_BYTES_MAX = TUNNEL_DATA_BYTES_MAX + 64;

const common: ChannelOptions = {
  "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
  "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
  "grpc.enable_channelz": 0,
};

export const serverOptions: ChannelOptions = { ...common, "grpc.max_concurrent_streams": 2 };

export const channelOptions: ChannelOptions = {
  ...common,
  "grpc-node.flow_control_window": WINDOW_BYTES,
  // A stream of memory cannot be sent twice. And without the buffer for it, a write is
  // answered when the connection took the bytes, which is what backpressure rests on.
  "grpc.enable_retries": 0,
  "grpc.per_rpc_retry_buffer_size": 0,
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  // TLS allows no address as a server's name; certificates are looked at by their URI.
  "grpc.ssl_target_name_override": "tunnel.ferry.internal",
};

/**
 * Lets us widen the window of one connection of a server, once its caller was let in: strangers have to do
 * with 64 KiB. grpc-js 1.14.7 has an option for that on a client only (grpc/grpc-node#3058 is to bring the
 * server's), so this reaches for a private member, after looking whether it is there.
 * @returns widens the connection of "address:port"; undefined if grpc-js has changed: the tunnel
 * then works, slower over a distance
 */
export function windowsOf(server: Server): ((peer: string) => void) | undefined {
  const inner = server as unknown as { createHttp2Server?: unknown }; // private: looked at below
  const make = inner.createHttp2Server;
  if (typeof make !== "function") return undefined;
  const sessions = new Set<ServerHttp2Session>();
  inner.createHttp2Server = (credentials: unknown) => {
    const http2Server = make.call(server, credentials) as Http2Server; // as grpc-js makes it
    http2Server.on("session", (session) => {
      sessions.add(session);
      session.once("close", () => sessions.delete(session));
    });
    return http2Server;
  };
  return (peer) => {
    for (const session of sessions) {
      if (`${session.socket.remoteAddress}:${session.socket.remotePort}` !== peer) continue;
      session.settings({ initialWindowSize: WINDOW_BYTES });
      session.setLocalWindowSize(WINDOW_BYTES);
    }
  };
}
