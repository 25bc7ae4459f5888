/*
 * Who is calling, by the caller's certificate and this agent's policy, and whether they may. Hosts
 * change addresses and controllers have none, so nothing else about a caller counts.
 */
import type { PeerCertificate } from "node:tls";
import { Fault } from "@ferry/contract";
import { calledBy, namesIn } from "./names.js";
import {
  type Access,
  type Ask,
  accessTo,
  accessToAsk,
  beginsNothing,
  isAllowed,
} from "./permissions.js";
import { agentNames, type Policy, type Role, standingOf } from "./policy.js";

/** The other end of a connection. */
export type PeerIdentity =
  /** Nobody proved anything: an operator chose to trust the network. */
  | { readonly kind: "plaintext" }
  | {
      readonly kind: "certificate";
      /** The name that gave it its roles, or the best it has. */
      readonly name: string;
      readonly roles: readonly Role[];
      /** Of an agent: its host. Both of a host's agents share one certificate. */
      readonly hostId: string | undefined;
      /** Whose word its roles are: a file, or what is built in. */
      readonly policy: string;
      /** It would not be let in now: the CA that signed its certificate is not trusted any more. */
      readonly isOutdated?: boolean;
    };

/** What a call must offer: every server call of grpc-js does, and so do interceptors' calls. */
export interface Authenticated {
  getAuthContext(): { sslPeerCertificate?: PeerCertificate };
}

/** The host of "<host_id>/source" or "<host_id>/destination". */
export function hostIdOfAgent(agentId: string): string {
  return agentId.slice(0, agentId.lastIndexOf("/"));
}

/**
 * Who is calling. `policy` undefined: plaintext. Otherwise the server asked for a certificate, so a
 * call without one is refused instead of being taken for plaintext, whatever let it in.
 */
export function peerIdentity(
  call: Authenticated,
  policy: Policy | undefined,
  isOutdated = false,
): PeerIdentity {
  if (policy === undefined) return { kind: "plaintext" };
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (certificate === undefined) {
    throw new Fault("FORBIDDEN", "a certificate signed by this host's CA is wanted");
  }
  return { ...identityIn(certificate, policy), isOutdated };
}

/** Reads the identity out of a certificate that was verified already. */
export function identityIn(
  certificate: PeerCertificate,
  policy: Policy,
): Extract<PeerIdentity, { kind: "certificate" }> {
  const { roles, hostId, name = calledBy(certificate) } = standingOf(namesIn(certificate), policy);
  return { kind: "certificate", name, roles, hostId, policy: policy.source };
}

/** Whom a limit per caller counts for. Over plaintext nobody can be told from anybody. */
export function callerName(peer: PeerIdentity): string {
  return peer.kind === "plaintext" ? "plaintext" : peer.name;
}

/** Throws unless the caller may make the call at `path`. Over plaintext everybody may. */
export function requireCall(peer: PeerIdentity, path: string): void {
  const access = accessTo(path);
  if (peer.kind === "plaintext") return;
  if (peer.isOutdated && !beginsNothing(path)) throw outdated(peer, path.slice(1));
  if (isAllowed(access, peer.roles)) return;
  const onlyAgents = access.length === 1 && access.includes("agent");
  throw refusal(peer, path.slice(1), access, onlyAgents ? "PEER_ONLY" : "FORBIDDEN");
}

/**
 * Throws unless the caller may ask for that; answers the name for the audit log. Over plaintext
 * everybody may: an operator chose that.
 */
export function requireAsk(peer: PeerIdentity, ask: Ask): string {
  if (peer.kind === "plaintext") return "plaintext";
  if (peer.isOutdated) throw outdated(peer, ask);
  const access = accessToAsk(ask);
  if (isAllowed(access, peer.roles)) return peer.name;
  throw refusal(peer, ask, access, "FORBIDDEN");
}

function refusal(
  { name, roles, policy }: Extract<PeerIdentity, { kind: "certificate" }>,
  what: string,
  access: Access,
  reason: "PEER_ONLY" | "FORBIDDEN",
): Fault {
  const wanted = access === "anybody" || access.length === 0 ? "nobody" : access.join(" or ");
  const has = roles.length === 0 ? `has no role in ${policy}` : `is ${roles.join(" and ")} there`;
  const rule = roles.length === 0 ? "" : ` (${policy})`;
  return new Fault(reason, `${what} is for ${wanted}, and ${name} ${has}${rule}`, {
    metadata: { identity: name, roles: roles.join(","), wanted, what },
  });
}

function outdated(
  { name, roles }: Extract<PeerIdentity, { kind: "certificate" }>,
  what: string,
): Fault {
  return new Fault(
    "FORBIDDEN",
    `${what} is refused: the CA that signed the certificate of ${name} is not trusted here any more, and this connection is ` +
      "older than that. It may look, and end the migrations it began; for anything else connect anew, with a certificate of a CA in tls.ca",
    { metadata: { identity: name, roles: roles.join(","), what } },
  );
}

/**
 * For a client that dials the agent of `hostId`: its certificate must say so. Replaces the check
 * of the host name, which says nothing here: addresses come from a controller, who may be wrong.
 */
export function checkAgentCertificate(hostId: string, policy: () => Policy) {
  return (_host: string, certificate: PeerCertificate): Error | undefined => {
    const found = identityIn(certificate, policy());
    if (found.hostId === hostId) return undefined;
    const whose = found.hostId === undefined ? "no agent" : `host ${found.hostId}`;
    return new Error(
      `the certificate there belongs to ${whose}, not to an agent of ${hostId} (${namesOfAgent(hostId, policy())})`,
    );
  };
}

/** For people: "ferry://agent/host-1". */
export function namesOfAgent(hostId: string, policy: Policy): string {
  return agentNames(hostId, policy)
    .map(({ value }) => value)
    .join(" or ");
}
