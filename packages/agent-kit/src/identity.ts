/*
 * Who is calling, as the caller's certificate says it: in a URI name (SPIFFE's way, without its
 * machinery), since hosts change addresses and controllers have none. Only one thing is decided
 * by it: agents' calls (PeerService) are for agents, each for the host in its certificate.
 */
import type { PeerCertificate } from "node:tls";
import { Fault } from "@ferry/contract";

/** The other end of a connection. */
export type PeerIdentity =
  /** Nobody proved anything: an operator chose to trust the network. */
  | { readonly kind: "plaintext" }
  /** An agent of that host; both of a host's agents share one certificate. */
  | { readonly kind: "agent"; readonly hostId: string }
  /** A person who may stand in for a host that is gone, and may sweep. */
  | { readonly kind: "operator"; readonly name: string }
  /** Anybody else whose certificate our CA signed, by the best name it has. */
  | { readonly kind: "client"; readonly name: string };

/** What a call must offer: every server call of grpc-js does, and so do interceptors' calls. */
export interface Authenticated {
  getAuthContext(): { sslPeerCertificate?: PeerCertificate };
}

const AGENT_URI = /^ferry:\/\/agent\/([a-z0-9][a-z0-9.-]{0,63})$/;
const OPERATOR_URI = /^ferry:\/\/operator\/([A-Za-z0-9._-]{1,64})$/;
const CONTROLLER_URI = /^ferry:\/\/controller\/([A-Za-z0-9._-]{1,64})$/;

/** The URI name in the certificate of a host's agents. */
export function agentUri(hostId: string): string {
  return `ferry://agent/${hostId}`;
}

/** The host of "<host_id>/source" or "<host_id>/destination". */
export function hostIdOfAgent(agentId: string): string {
  return agentId.slice(0, agentId.lastIndexOf("/"));
}

/**
 * Who is calling. `secure`: the server asked for a certificate, so a call without one is refused
 * instead of being taken for plaintext, whatever let it in.
 */
export function peerIdentity(call: Authenticated, secure: boolean): PeerIdentity {
  if (!secure) return { kind: "plaintext" };
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (certificate === undefined) {
    throw new Fault("FORBIDDEN", "a certificate signed by this host's CA is wanted");
  }
  return identityIn(certificate);
}

/** Reads the identity out of a certificate that was verified already. */
export function identityIn(certificate: PeerCertificate): PeerIdentity {
  const names = alternativeNames(certificate.subjectaltname ?? "");
  const ours = names.filter(({ type, value }) => type === "URI" && value.startsWith("ferry://"));
  // Two names would let one certificate be two hosts: it is then nobody's agent.
  const uri = ours.length === 1 ? ours[0]?.value : undefined;
  const hostId = uri === undefined ? undefined : AGENT_URI.exec(uri)?.[1];
  if (hostId !== undefined) return { kind: "agent", hostId };
  const operator = uri === undefined ? undefined : OPERATOR_URI.exec(uri)?.[1];
  if (operator !== undefined) return { kind: "operator", name: operator };
  const controller = uri === undefined ? undefined : CONTROLLER_URI.exec(uri)?.[1];
  const commonName = certificate.subject?.CN;
  const other = names[0]?.value ?? (typeof commonName === "string" ? commonName : "unnamed");
  return { kind: "client", name: controller ?? other };
}

/** Throws unless an agent calls. Over plaintext everybody may: an operator chose that. */
export function requireAgent(peer: PeerIdentity): void {
  if (peer.kind === "plaintext" || peer.kind === "agent") return;
  throw new Fault(
    "PEER_ONLY",
    `only agents may make this call, and ${peer.name} has no agent's certificate`,
  );
}

/**
 * Throws unless an operator calls; answers the name for the audit log. Over plaintext everybody may:
 * an operator chose that.
 */
export function requireOperator(peer: PeerIdentity): string {
  if (peer.kind === "plaintext") return "plaintext";
  if (peer.kind === "operator") return peer.name;
  const who = peer.kind === "agent" ? `the agent of ${peer.hostId}` : peer.name;
  throw new Fault(
    "FORBIDDEN",
    `only an operator may do this, and ${who} has no certificate with a URI name ferry://operator/NAME`,
  );
}

/**
 * For a client that dials the agent of `hostId`: its certificate must say so. Replaces the check
 * of the host name, which says nothing here: addresses come from a controller, who may be wrong.
 */
export function checkAgentCertificate(hostId: string) {
  return (_host: string, certificate: PeerCertificate): Error | undefined => {
    const identity = identityIn(certificate);
    if (identity.kind === "agent" && identity.hostId === hostId) return undefined;
    const found = identity.kind === "agent" ? `host ${identity.hostId}` : "no agent";
    return new Error(
      `the certificate there belongs to ${found}, not to an agent of ${hostId} (${agentUri(hostId)})`,
    );
  };
}

interface AlternativeName {
  readonly type: string;
  readonly value: string;
}

/**
 * Splits Node's text of a certificate's alternative names, "DNS:a, URI:b". A name with a comma or
 * a quote in it comes as a JSON string, so a hostile DNS name cannot smuggle in a URI. Anything
 * that does not read to its end reads as no names at all.
 */
function alternativeNames(text: string): AlternativeName[] {
  const names: AlternativeName[] = [];
  const entry = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;
  while (entry.lastIndex < text.length) {
    const found = entry.exec(text);
    if (found === null) return [];
    const [, type = "", value = ""] = found;
    names.push({ type, value: value.startsWith('"') ? String(JSON.parse(value)) : value });
  }
  return names;
}
