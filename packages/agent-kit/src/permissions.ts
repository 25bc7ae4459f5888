/*
 * Which role may make which call: one total table over the contract. It does not compile with a call
 * left out, and a call that is in no row is allowed to nobody. Two requests ask for more than
 * their call does, and have rows of their own: to stand in for a host, and to sweep.
 */
import {
  AgentServiceService,
  DestinationServiceService,
  GuestServiceService,
  HealthService,
  MigrationServiceService,
  PeerServiceService,
  ServerReflectionService,
  SourceServiceService,
} from "@ferry/contract";
import type { Role } from "./policy.js";

/** "anybody": whoever has a certificate of our CA. */
export type Access = "anybody" | readonly Role[];

/** Whoever may give an order may look, and whoever stands in for a host may give orders. */
const LOOK = ["viewer", "controller", "operator"] as const satisfies Access;
const ORDER: Access = ["controller", "operator"];
const AGENTS: Access = ["agent"];

interface Method {
  readonly path: string;
}
type Service = Readonly<Record<string, Method>>;

const TABLE: ReadonlyMap<string, Access> = new Map([
  ...rows(SourceServiceService, { begin: ORDER, perform: ORDER, confirm: ORDER, abort: ORDER }),
  ...rows(DestinationServiceService, { prepare: ORDER, finish: ORDER }),
  ...rows(GuestServiceService, {
    start: ORDER,
    stop: ORDER,
    pause: ORDER,
    resume: ORDER,
    get: LOOK,
    list: LOOK,
    watch: LOOK,
  }),
  ...rows(MigrationServiceService, {
    getMigration: LOOK,
    listMigrations: LOOK,
    watchMigrations: LOOK,
  }),
  ...rows(AgentServiceService, { getInfo: LOOK, listOrphans: LOOK }),
  ...rows(PeerServiceService, { meet: AGENTS, tunnel: AGENTS, probe: AGENTS }),
  ...rows(HealthService, { check: "anybody", list: "anybody", watch: "anybody" }),
  ...rows(ServerReflectionService, { serverReflectionInfo: "anybody" }),
]);

/**
 * What whoever could not connect any more may do on a connection that it kept, beside looking: end what it began. A
 * tether must not be lost to a change of CAs, and nothing is begun or destroyed with a certificate that counts no more.
 */
const ENDS: ReadonlySet<string> = new Set([
  SourceServiceService.perform.path,
  SourceServiceService.confirm.path,
  SourceServiceService.abort.path,
  DestinationServiceService.finish.path,
]);

/** Whether the call at that path only looks, or ends what was begun before. */
export function beginsNothing(path: string): boolean {
  return ENDS.has(path) || accessTo(path) === LOOK;
}

/** Who may read the metrics, where they are behind TLS. */
export const METRICS = LOOK;

/** What a request may ask for beyond its call. */
const ASKS = {
  /** Finish or Confirm with an override: a person stands in for a host that is gone. */
  override: ["operator"],
  /** ListOrphans with sweep. */
  sweep: ["operator"],
} as const satisfies Record<string, readonly Role[]>;

export type Ask = keyof typeof ASKS;

/** Who may make the call at that path ("/ferry.v1.SourceService/Begin"); nobody, if there is none. */
export function accessTo(path: string): Access {
  return TABLE.get(path) ?? [];
}

export function accessToAsk(ask: Ask): readonly Role[] {
  return ASKS[ask];
}

/** Whether somebody with those roles is let in. Total. */
export function isAllowed(access: Access, roles: readonly Role[]): boolean {
  return access === "anybody" || roles.some((role) => access.includes(role));
}

/** One row per call of a service, or it does not compile. */
function rows<Calls extends Service>(
  service: Calls,
  access: Readonly<Record<keyof Calls, Access>>,
): [path: string, access: Access][] {
  return Object.entries(service).map(([name, { path }]) => [path, access[name as keyof Calls]]); // its own keys
}
