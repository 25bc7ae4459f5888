/*
 * Which certificates have which roles: a list of name patterns for each role, and nothing else. What
 * a role may do is not configured (see permissions.ts): an agent that could be told to take anybody's
 * word for custody would be no agent.
 */
import type { CertificateName } from "./names.js";

/** What a caller may be; one certificate may be several. */
export const ROLES = ["controller", "agent", "viewer", "operator"] as const;
export type Role = (typeof ROLES)[number];

export interface Policy {
  /** For complaints and logs: the file's path, or "the built-in policy". */
  readonly source: string;
  readonly patterns: Readonly<Record<Role, readonly Pattern[]>>;
}

/** A pattern as it was written, and what it matches. */
export interface Pattern {
  readonly text: string;
  readonly kind: CertificateName["kind"];
  readonly expression: RegExp;
}

/** What a policy makes of a certificate's names. */
export interface Standing {
  readonly roles: readonly Role[];
  /** Of an agent: the host it is on. */
  readonly hostId: string | undefined;
  /** The first name that gave a role. */
  readonly name: string | undefined;
}

const PATTERN_CHARACTERS_MAX = 512;
/** Stands for the host's id in an agent's pattern. */
const HOST = "{host}";
const HOST_ID = "([a-z0-9][a-z0-9.-]{0,63})";
const DNS_PATTERN = /^(\*\.|\{host\}\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9])?$/;
const URI_PATTERN = /^[a-z][a-z0-9+.-]*:\/\/[^/\s*{}]+(\/[^\s]*)?$/;

/** Roles of a fleet whose certificates come from `ferry certs`. */
export const BUILT_IN: Policy = {
  source: "the built-in policy",
  patterns: {
    controller: [parsePattern("ferry://controller/*", "controller")],
    agent: [parsePattern("ferry://agent/{host}", "agent")],
    viewer: [parsePattern("ferry://viewer/*", "viewer")],
    operator: [parsePattern("ferry://operator/*", "operator")],
  },
};

/** Reads one pattern for that role. Throws with words for whoever wrote it. */
export function parsePattern(text: string, role: Role): Pattern {
  if (text.length > PATTERN_CHARACTERS_MAX) {
    throw new Error(`at most ${PATTERN_CHARACTERS_MAX} characters are wanted`);
  }
  const kind = text.includes("://") ? "URI" : "DNS";
  if (kind === "URI" && !URI_PATTERN.test(text)) {
    throw new Error(
      `${JSON.stringify(text)} is no URI pattern: "scheme://authority/path" is wanted, with "*" in the path only`,
    );
  }
  if (kind === "DNS" && !DNS_PATTERN.test(text.toLowerCase())) {
    throw new Error(
      `${JSON.stringify(text)} is neither a URI pattern ("scheme://…") nor a DNS one ("ops.example", "*.ops.example")`,
    );
  }
  const hosts = text.split(HOST).length - 1;
  if (role === "agent" && (hosts !== 1 || text.includes("*"))) {
    throw new Error(
      `an agent's pattern holds ${HOST} once, where its host_id stands, and no "*": ferry://agent/{host}`,
    );
  }
  if (role !== "agent" && hosts > 0) throw new Error(`${HOST} is for the role agent alone`);
  if (text.replaceAll(HOST, "").match(/[{}]|\*\*/) !== null) {
    throw new Error(`{ } and ** mean nothing here: "*" stands for a part without a slash`);
  }
  // A certificate for "*.ops.example" is whoever's: it names nobody.
  const any = kind === "URI" ? "[^/]+" : "[^.*]+";
  const source = escaped(kind === "URI" ? text : text.toLowerCase())
    .replace(escaped(HOST), HOST_ID)
    .replaceAll("\\*", any);
  return { text, kind, expression: new RegExp(`^${source}$`, kind === "URI" ? "u" : "iu") };
}

/**
 * Total: every list of names has a standing. Names of two different hosts make nobody an agent, or
 * one certificate would be two hosts.
 */
export function standingOf(names: readonly CertificateName[], policy: Policy): Standing {
  const roles: Role[] = [];
  const given: CertificateName[] = [];
  let hostId: string | undefined;
  for (const role of ROLES) {
    const found = names.filter((name) => policy.patterns[role].some((each) => fits(each, name)));
    if (found.length === 0) continue;
    if (role === "agent") {
      const hosts = new Set(found.flatMap((name) => hostsIn(name, policy)));
      if (hosts.size !== 1) continue;
      [hostId] = hosts;
    }
    roles.push(role);
    given.push(...found);
  }
  return { roles, hostId, name: names.find((name) => given.includes(name))?.value };
}

/** Every name that makes a certificate that host's. */
export function agentNames(hostId: string, { patterns }: Policy): CertificateName[] {
  return patterns.agent.map(({ text, kind }) => ({ kind, value: text.replace(HOST, hostId) }));
}

/** How an agent's pattern names a host, for whoever reads certificates by an expression: "URI:…". */
export function hostName({ text, kind }: Pattern): string {
  const name = kind === "URI" ? text : text.toLowerCase();
  return `${kind}:${escaped(name).replace(escaped(HOST), HOST_ID)}`;
}

function fits({ kind, expression }: Pattern, name: CertificateName): boolean {
  return kind === name.kind && expression.test(name.value);
}

function hostsIn(name: CertificateName, { patterns }: Policy): string[] {
  return patterns.agent.flatMap(({ kind, expression }) => {
    const hostId = kind === name.kind ? expression.exec(name.value)?.[1] : undefined;
    return hostId === undefined ? [] : [hostId.toLowerCase()];
  });
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
