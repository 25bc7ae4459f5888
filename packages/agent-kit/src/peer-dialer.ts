/* How an agent reaches another: over a connection of its own, to a certificate that is that agent's. */
import { PeerServiceClient } from "@ferry/contract";
import type { Security } from "@ferry/tunnel";
import { ChannelCredentials, experimental } from "@grpc/grpc-js";
import type { Certificates } from "./certificates.js";
import type { Config } from "./config.js";
import { checkAgentCertificate, hostIdOfAgent } from "./identity.js";
import { hostName } from "./policy.js";
import type { PolicyInForce } from "./policy-file.js";

/** A peer that comes back is noticed soon, and one that does not is not hammered. */
const RECONNECT_FIRST_MS = 50;
const RECONNECT_LAST_MS = 1_000;
/** TLS wants a name to ask for; the certificate is judged by its URI name alone. */
const SERVER_NAME = "ferry-agent";

/**
 * Makes clients for other agents' PeerService. `address` is "host:port" as a controller gave it;
 * whoever answers there must have the certificate of the host in `agentId`.
 */
export function peerDialer(
  config: Config,
  certificates: Certificates | undefined,
  policy: Pick<PolicyInForce, "current">,
) {
  return (address: string, agentId: string): PeerServiceClient =>
    // `dns:` in front, since grpc-js would read "unix:80" as the name of a socket.
    new PeerServiceClient(`dns:${address}`, credentialsFor(agentId, certificates, policy), {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.keepalive_time_ms": config.keepalive.timeMs,
      "grpc.keepalive_timeout_ms": config.keepalive.timeoutMs,
      "grpc.initial_reconnect_backoff_ms": RECONNECT_FIRST_MS,
      "grpc.max_reconnect_backoff_ms": RECONNECT_LAST_MS,
      "grpc.max_receive_message_length": config.limits.messageBytesMax,
      "grpc.enable_retries": 0,
      "grpc.enable_http_proxy": 0,
      "grpc.service_config_disable_resolution": 1,
      ...(certificates === undefined ? {} : { "grpc.ssl_target_name_override": SERVER_NAME }),
    });
}

function credentialsFor(
  agentId: string,
  certificates: Certificates | undefined,
  policy: Pick<PolicyInForce, "current">,
): ChannelCredentials {
  if (certificates === undefined) return ChannelCredentials.createInsecure();
  return experimental.createCertificateProviderChannelCredentials(certificates, certificates, {
    checkServerIdentity: checkAgentCertificate(hostIdOfAgent(agentId), () => policy.current),
  });
}

/** How a tunnel with `agentId` is protected: like everything else between the two agents. */
export function tunnelSecurity(
  certificates: Certificates | undefined,
  policy: Pick<PolicyInForce, "current">,
) {
  return (agentId: string): Security => {
    if (certificates === undefined) return { kind: "plaintext" };
    const { cert, key, ca } = certificates.pems;
    return {
      kind: "tls",
      cert: cert.toString(),
      key: key.toString(),
      ca: ca.toString(),
      peer: hostIdOfAgent(agentId),
      hostNames: policy.current.patterns.agent.map(hostName),
    };
  };
}
