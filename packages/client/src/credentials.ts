/*
 * How an agent is known: by a certificate of the operator's own CA. Where the host is known by name,
 * the certificate must carry that name (URI ferry://agent/HOST by default), whatever address was dialled: an
 * address that now leads to another host is noticed before a word is said. Else the address dialled
 * must be in the certificate, as in any TLS.
 */
import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";

/** PEM, as read from files. */
export interface TlsOptions {
  readonly ca: Buffer | string;
  readonly cert: Buffer | string;
  readonly key: Buffer | string;
  /**
   * The alternative name of a host's certificate, with "{host}" where its id stands: a URI, or a DNS
   * name. It is the pattern that the agents' policy has for the role agent. Default AGENT_NAME.
   */
  readonly agentName?: string;
}

const AGENT_NAME = "ferry://agent/{host}";

export type Security =
  | { readonly tls: TlsOptions; readonly plaintext?: never }
  /** Anybody on the network may listen and speak. For trials. */
  | { readonly plaintext: true; readonly tls?: never };

/** How a channel is made: what it proves, and what it asks of the other end. */
export interface ChannelSecurity {
  readonly credentials: ChannelCredentials;
  readonly options: ChannelOptions;
}

export function channelSecurity(
  security: Security,
  address: string,
  hostId?: string,
): ChannelSecurity {
  if (security.tls === undefined) return { credentials: credentials.createInsecure(), options: {} };
  const { ca, key, cert, agentName = AGENT_NAME } = security.tls;
  const name = hostOf(address);
  return {
    credentials: credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert), {
      checkServerIdentity: (_name, certificate) => checkAgent(name, certificate, hostId, agentName),
    }),
    // TLS has no server name for an IP address (RFC 6066), so any will do: the check above has the address.
    options: isIP(name) === 0 ? {} : { "grpc.ssl_target_name_override": hostId ?? "agent" },
  };
}

/** The host of "host:port" or "[ipv6]:port". */
function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

/** An error if that certificate is not the one of the agent that was meant. */
export function checkAgent(
  name: string,
  certificate: PeerCertificate,
  hostId: string | undefined,
  agentName = AGENT_NAME,
): Error | undefined {
  if (hostId === undefined) return checkServerIdentity(name, certificate);
  const kind = agentName.includes("://") ? "URI" : "DNS";
  const wanted = `${kind}:${agentName.replace("{host}", hostId)}`;
  const names = splitNames(certificate.subjectaltname ?? "");
  if (names.includes(wanted)) return undefined;
  return new Error(
    `the certificate at ${name} is not that of host ${hostId}: it names ${names.join(", ") || "nothing"}`,
  );
}

/** Node quotes a name that holds a comma or a quote, so that no name can pretend to be two. */
function splitNames(subjectAltName: string): string[] {
  return subjectAltName.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g)?.map((each) => each.trim()) ?? [];
}
