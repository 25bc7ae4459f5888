/*
 * Nothing is left behind: what no guest and no migration of this host owns is found, told, counted,
 * and removed at the start of an agent or when an operator asks. Both agents of a host look at all of
 * it, and at the records of both; so nothing depends on which of them made what, or on which lives.
 *
 * Whatever is to be removed is looked for and judged twice, the second time right before.
 */

import { basename } from "node:path";
import { type ListOrphansRequest, type ListOrphansResponse, OrphanKind } from "@ferry/contract";
import {
  endOrphan,
  everRan,
  findTraces,
  removeOrphanCgroup,
  removeOrphanDirectory,
  removeSwept,
  type Trace,
} from "@ferry/qemu";
import type { AuditLog } from "@ferry/store";
import type { Config } from "./config.js";
import { requireOperator } from "./identity.js";
import type { Logger } from "./logs.js";
import { type Metrics, ORPHAN_KINDS } from "./metrics.js";
import { isSettled, type Judged, judge, YOUNG_MS } from "./orphans-judge.js";
import { type Owners, readOwners } from "./orphans-owners.js";
import { type CallContext, checkAddressee } from "./server.js";

/** What the start left alone for being young is looked at again after this time, in milliseconds. */
const SECOND_SWEEP_MS = YOUNG_MS + 5_000;

export interface OrphansHost {
  readonly config: Pick<Config, "stateDir" | "runDir" | "qemu">;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "orphans">;
  readonly audit: Pick<AuditLog, "append">;
  /** Run directories that this agent uses at this moment, whether a record names them yet or not. */
  inUse(): Iterable<string>;
}

export interface OrphanFound {
  readonly kind: (typeof ORPHAN_KINDS)[number];
  readonly subject: string;
  readonly reason: string;
  readonly swept: boolean;
  /** Why it was not swept, though that was wanted; "" otherwise. */
  readonly keptBecause: string;
}

interface Orphan {
  readonly trace: Trace;
  readonly judged: readonly Judged[];
}

export class Orphans {
  #turn: Promise<unknown> = Promise.resolve();
  #later: NodeJS.Timeout | undefined;

  constructor(private readonly host: OrphansHost) {}

  /** Looks, and touches nothing. */
  list(): Promise<OrphanFound[]> {
    return this.#inTurn(async () => {
      const { orphans, unreadable } = await this.#look(false);
      const found = orphans.flatMap(({ judged }) => judged.map((each) => told(each, false, "")));
      return this.#count([...found, ...unreadable]);
    });
  }

  /** Removes what may be removed. `operator`: who ordered it; undefined: this agent, at its start. */
  sweep(operator: string | undefined): Promise<OrphanFound[]> {
    return this.#inTurn(async () => {
      const { orphans, unreadable } = await this.#look(operator !== undefined);
      await removeSwept(this.host.config.runDir);
      if (operator !== undefined && orphans.length > 0) await this.#writeDown(operator, orphans);
      const found: OrphanFound[] = [];
      for (const orphan of orphans) found.push(...(await this.#sweep(orphan, operator)));
      for (const each of found) {
        const { kind, subject, reason, swept, keptBecause } = each;
        const fields = { kind, subject, reason, ...(swept ? {} : { kept_because: keptBecause }) };
        this.host.log.warn(fields, swept ? "an orphan was swept" : "an orphan was left alone");
      }
      const kept = unreadable.map((each) => ({ ...each, keptBecause: "a person decides" }));
      return this.#count([...found, ...kept]);
    });
  }

  /** At an agent's start, after it found again what it owns. Never keeps it from starting. */
  async sweepAtStart(): Promise<void> {
    const sweep = () =>
      this.sweep(undefined).catch((error: unknown) =>
        this.host.log.error({ err: error }, "orphans could not be looked for"),
      );
    await sweep();
    this.#later = setTimeout(() => void sweep(), SECOND_SWEEP_MS).unref();
  }

  /** Waits for a sweep that is under way; begins no other. */
  async close(): Promise<void> {
    clearTimeout(this.#later);
    await this.#turn;
  }

  async #look(asked: boolean): Promise<{ orphans: Orphan[]; unreadable: OrphanFound[] }> {
    const { stateDir, runDir, qemu } = this.host.config;
    const inUse = new Set(this.#namesInUse());
    // What there is first, its owners afterwards: a record may appear meanwhile, and is then seen.
    const traces = await findTraces({ runDir, cgroups: qemu.cgroups });
    const owners = await readOwners(stateDir);
    for (const name of this.#namesInUse()) inUse.add(name);
    const nobodys = traces.filter(
      (trace) => isSettled(trace) && !owners.names.has(trace.name) && !inUse.has(trace.name),
    );
    const orphans = await Promise.all(
      nobodys.map(async (trace) => ({
        trace,
        judged: judge(trace, {
          ending: await owners.endingOf(trace.name),
          everRan: trace.qemus.some(({ atHome }) => atHome)
            ? await everRan(trace.runDir)
            : undefined,
          keepAll: keepAllBecause(owners),
          asked,
        }),
      })),
    );
    const unreadable = owners.unreadable.map(({ path, why }) => ({
      kind: "record" as const,
      subject: path,
      reason: why,
      swept: false,
      keptBecause: "",
    }));
    return { orphans, unreadable };
  }

  *#namesInUse(): Iterable<string> {
    for (const runDir of this.host.inUse()) yield basename(runDir);
  }

  /** Removes one trace, if it is still nobody's. */
  async #sweep(first: Orphan, operator: string | undefined): Promise<OrphanFound[]> {
    const { orphans } = await this.#look(operator !== undefined);
    const again = orphans.find(({ trace }) => isSame(trace, first.trace));
    if (again === undefined) {
      // Gone, or somebody's by now: no orphan any more, and not swept by us.
      return [];
    }
    const { trace, judged } = again;
    const became = new Map(judged.map((each) => [each.subject, each.keep]));
    const mayGo = (subject: string) => became.get(subject) === "";
    for (const { identity } of trace.qemus) {
      const subject = `pid ${identity.pid}`;
      if (mayGo(subject)) became.set(subject, await endOrphan(identity));
    }
    const still = trace.qemus
      .map(({ identity }) => became.get(`pid ${identity.pid}`))
      .find(Boolean);
    const { directory, cgroups, runDir } = trace;
    if (directory !== undefined && mayGo(directory.path)) {
      became.set(directory.path, still ?? (await removeOrphanDirectory(directory)));
    }
    for (const { path } of cgroups) {
      if (mayGo(path)) became.set(path, still ?? (await removeOrphanCgroup(path, runDir)));
    }
    return judged.map((each) => {
      const kept = became.get(each.subject) ?? "";
      return told(each, kept === "", kept);
    });
  }

  async #writeDown(who: string, orphans: readonly Orphan[]): Promise<void> {
    const subjects = orphans.flatMap(({ judged }) =>
      judged.filter(({ keep }) => keep === "").map(({ subject }) => subject),
    );
    if (subjects.length === 0) return;
    const reason = `nobody owns ${subjects.join(", ")}`;
    await this.host.audit.append({ what: "sweep", who, migrationId: "", guestId: "", reason });
  }

  #count(found: OrphanFound[]): OrphanFound[] {
    for (const kind of ORPHAN_KINDS) {
      const left = found.filter((each) => each.kind === kind && !each.swept);
      this.host.metrics.orphans.set({ kind }, left.length);
    }
    return found;
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

/** AgentService.ListOrphans, the same on both agents. */
export function orphansHandler(orphans: Orphans, agentId: string) {
  return async (
    request: ListOrphansRequest,
    { peer }: Pick<CallContext, "peer">,
  ): Promise<ListOrphansResponse> => {
    checkAddressee(request, agentId);
    const found = request.sweep ? await orphans.sweep(requireOperator(peer)) : await orphans.list();
    return { agentId, orphans: found.map((each) => ({ ...each, kind: KINDS[each.kind] })) };
  };
}

const KINDS: Record<OrphanFound["kind"], OrphanKind> = {
  process: OrphanKind.PROCESS,
  run_directory: OrphanKind.RUN_DIRECTORY,
  cgroup: OrphanKind.CGROUP,
  record: OrphanKind.RECORD,
};

function keepAllBecause({ unreadable: [first] }: Owners): string {
  return first === undefined ? "" : `${first.path} cannot be read, and may own it`;
}

function told({ kind, subject, reason }: Judged, swept: boolean, keptBecause: string): OrphanFound {
  return { kind, subject, reason, swept, keptBecause };
}

/** What was judged before, and not something new of that name. */
function isSame(one: Trace, other: Trace): boolean {
  const key = ({ name, directory, qemus }: Trace) =>
    JSON.stringify([name, directory?.dev, directory?.ino, qemus.map(({ identity }) => identity)]);
  return key(one) === key(other);
}
