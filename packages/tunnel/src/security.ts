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
      /** The host whose agent must be at the other end. */
      readonly peer: string;
      /** How certificates name hosts: the alternative name, "URI:…" or "DNS:…", whose first group is a host. */
      readonly hostNames: readonly string[];
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
        hostIn(certificate, security.hostNames) === security.peer
          ? undefined
          : new Error(`the other pump's certificate is not that of host ${security.peer}`),
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
  return certificate !== undefined && hostIn(certificate, security.hostNames) === security.peer;
}

/** A certificate that names two is nobody's: it would be two hosts at once. */
function hostIn(certificate: PeerCertificate, hostNames: readonly string[]): string | undefined {
  const expressions = hostNames.map((source) => new RegExp(`^(?:${source})$`));
  const names = alternativeNames(certificate.subjectaltname ?? "");
  const hosts = new Set(
    names.flatMap((name) => expressions.flatMap((each) => each.exec(name)?.[1] ?? [])),
  );
  return hosts.size === 1 ? [...hosts][0] : undefined;
}

/**
 * Splits Node's text of the alternative names, "DNS:a, URI:b". One with a comma or a quote in it comes
 * as a JSON string and stays one, so a hostile name cannot smuggle in another. A text that does
 * not read to its end reads as no names at all.
 */
function alternativeNames(text: string): string[] {
  const names: string[] = [];
  const entry = /([A-Za-z ]+:(?:"(?:[^"\\]|\\.)*"|[^",]*))(?:, |$)/y;
  while (entry.lastIndex < text.length) {
    const name = entry.exec(text)?.[1];
    if (name === undefined) return [];
    names.push(name);
  }
  return names;
}
