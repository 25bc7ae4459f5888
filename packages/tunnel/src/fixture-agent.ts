/* An agent in miniature, to be killed: starts one pump from the settings in its first argument, says its pid. */
import { startTunnel } from "./tunnel.js";

const tunnel = await startTunnel(JSON.parse(process.argv[2] ?? ""));
process.send?.({ pid: tunnel.pid, port: tunnel.port });
