/*
 * Who may be at the other end. The key that `met` told is the ticket; the certificate says whose hands
 * it is in. Host names are not looked at: agents are dialled by address, and their certificates carry
 * the agent's id as a URI.
 */
import type { PeerCertificate } from "node:tls";
import { ChannelCredentials, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";

/** How a tunnel is protected: not at all (for trials), or mutual TLS with one expected peer. */
export type Security =
  | { readonly kind: "plaintext" }
  | {
      readonly kind: "tls";
      /** PEM: this agent's certificate chain, its private key, and whom to trust. */
      readonly cert: string;
      readonly key: string;
      readonly ca: string;
      /** The URI that the peer's certificate must name as a subject alternative name. */
      readonly peer: string;
    };

export function serverCredentials(security: Security): ServerCredentials {
  if (security.kind === "plaintext") return ServerCredentials.createInsecure();
  return ServerCredentials.createSsl(
    Buffer.from(security.ca),
    [{ cert_chain: Buffer.from(security.cert), private_key: Buffer.from(security.key) }],
    true,
  );
}

export function channelCredentials(security: Security): ChannelCredentials {
  if (security.kind === "plaintext") return ChannelCredentials.createInsecure();
  return ChannelCredentials.createSsl(
    Buffer.from(security.ca),
    Buffer.from(security.key),
    Buffer.from(security.cert),
    {
      checkServerIdentity: (_host, certificate) =>
        names(certificate, security.peer)
          ? undefined
          : new Error(`the other pump's certificate does not name ${security.peer}`),
    },
  );
}

/** Whether the caller is the expected peer; over plaintext only the key can tell. */
export function isExpectedPeer(
  security: Security,
  call: Pick<ServerDuplexStream<unknown, unknown>, "getAuthContext">,
): boolean {
  if (security.kind === "plaintext") return true;
  const certificate = call.getAuthContext().sslPeerCertificate;
  return certificate !== undefined && names(certificate, security.peer);
}

/** Node writes alternative names as `URI:a, DNS:b`, and one with odd characters as a JSON string. */
function names(certificate: PeerCertificate, uri: string): boolean {
  const entries: string[] = certificate.subjectaltname?.match(ALTERNATIVE_NAME) ?? [];
  return entries.includes(`URI:${uri}`);
}

const ALTERNATIVE_NAME = /[^:,\s]+:(?:"(?:[^"\\]|\\.)*"|[^,]*)/g;
