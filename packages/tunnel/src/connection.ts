/*
 * How the two pumps' one connection is set up. It has no HTTP/2 pings: behind megabytes of pages an
 * answer comes late, and the agents, who watch the migration's progress, decide when silence is too long.
 */

import { TUNNEL_DATA_BYTES_MAX } from "@ferry/contract";
import type { ChannelOptions, Server } from "@grpc/grpc-js";

/** Bytes a sender may have under way before the receiver has read them. */
const WINDOW_BYTES = 2 * 1024 * 1024;
/** A message's data and its own few bytes. */
const MESSAGE_BYTES_MAX = TUNNEL_DATA_BYTES_MAX + 64;

const common: ChannelOptions = {
  "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
  "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
  "grpc.enable_channelz": 0,
};

export const serverOptions: ChannelOptions = { ...common, "grpc.max_concurrent_streams": 4 };

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
 * Lets a server's clients have WINDOW_BYTES under way. grpc-js 1.14.7 has an option for that on a client only
 * (grpc/grpc-node#3058 is to bring the server's); at 64 KiB a round trip of 5 ms means 13 MB/s. The two
 * private members are looked for first: without them the tunnel works, slower.
 * @returns whether they were there
 */
export function widenWindow(server: Server): boolean {
  const inner = server as unknown as Inner; // private in grpc-js: checked member by member below
  const make = inner.createHttp2Server;
  const { commonServerOptions } = inner;
  if (typeof make !== "function" || typeof commonServerOptions !== "object") return false;
  commonServerOptions.settings = {
    ...commonServerOptions.settings,
    initialWindowSize: WINDOW_BYTES,
  };
  inner.createHttp2Server = (credentials) => {
    const http2Server = make.call(server, credentials);
    http2Server.on("session", (session) => session.setLocalWindowSize(WINDOW_BYTES));
    return http2Server;
  };
  return true;
}

type MakeHttp2Server = (credentials: unknown) => import("node:http2").Http2Server;

interface Inner {
  commonServerOptions?: import("node:http2").ServerOptions;
  createHttp2Server?: MakeHttp2Server;
}
