/*
 * Nothing is left behind: what no guest and no migration of this host owns is found, told, counted,
 * and removed at the start of an agent or when an operator asks. Both agents of a host look at all of
 * it, and at the records of both; so nothing depends on which of them made what, or on which lives.
 *
 * Whatever is to be removed is looked for and judged twice, the second time right before.
 */
import { basename } from "node:path";
import { everRan, findTraces, removeSwept, type Trace } from "@ferry/qemu";
import type { AuditLog } from "@ferry/store";
import type { Config } from "./config.js";
import type { Logger } from "./logs.js";
import { type Metrics, ORPHAN_KINDS } from "./metrics.js";
import { judge, settled, YOUNG_MS } from "./orphans-judge.js";
import { type Owners, readOwners, type Unreadable } from "./orphans-owners.js";
import { type Orphan, type OrphanFound, remove, told } from "./orphans-remove.js";

/** What the start left alone for being young is looked at again after this time, in milliseconds. */
const SECOND_SWEEP_MS = YOUNG_MS + 5_000;

export interface OrphansHost {
  readonly config: Pick<Config, "stateDir" | "runDir" | "qemu">;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, "orphans">;
  readonly audit: Pick<AuditLog, "append">;
  /** Run directories that this agent uses at this moment, whether a record names them yet or not. */
  inUse(): Iterable<string>;
  /** See YOUNG_MS; a test brings its own. */
  readonly youngMs?: number;
}

export class Orphans {
  #turn: Promise<unknown> = Promise.resolve();
  #later: NodeJS.Timeout | undefined;

  constructor(private readonly host: OrphansHost) {}

  /** Looks, and touches nothing. */
  list(): Promise<OrphanFound[]> {
    return this.#inTurn(async () => {
      const { orphans, unreadable } = await this.#look(false);
      const found = orphans.flatMap(({ judged }) => judged.map((each) => told(each)));
      return this.#count([...found, ...unreadable]);
    });
  }

  /** Removes what may be removed. `operator`: who ordered it; undefined: this agent, at its start. */
  sweep(operator: string | undefined): Promise<OrphanFound[]> {
    return this.#inTurn(async () => {
      const asked = operator !== undefined;
      await removeSwept(this.host.config.runDir);
      let { orphans, unreadable } = await this.#look(asked);
      if (orphans.length > 0) {
        if (asked) await this.#writeDown(operator, orphans);
        const before = new Set(orphans.map(({ trace }) => identityOf(trace)));
        ({ orphans, unreadable } = await this.#look(asked));
        // What was not there before may be somebody's soon; what is gone was somebody's.
        orphans = orphans.filter(({ trace }) => before.has(identityOf(trace)));
      }
      const found = (await Promise.all(orphans.map(remove))).flat();
      for (const { swept, keptBecause, ...fields } of found) {
        const kept = swept ? {} : { kept_because: keptBecause };
        const words = swept ? "an orphan was swept" : "an orphan was left alone";
        this.host.log.warn({ ...fields, ...kept }, words);
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
    const used = new Set<string>();
    const noteUsed = () => {
      for (const path of this.host.inUse()) used.add(basename(path));
    };
    noteUsed();
    // What there is first, its owners afterwards: a record that is written meanwhile is seen.
    const traces = await findTraces({ runDir, cgroups: qemu.cgroups });
    noteUsed();
    let owners = await readOwners(stateDir);
    const isNobodys = ({ name }: Trace) => !owners.names.has(name) && !used.has(name);
    const nobodys = traces
      .filter(isNobodys)
      .map((trace) => settled(trace, this.host.youngMs))
      .filter((trace) => trace !== undefined);
    const asking = nobodys.map(async (trace) => {
      const atHome = trace.qemus.some((each) => each.atHome);
      return { trace, everRan: atHome ? await everRan(trace.runDir) : undefined };
    });
    const answered = await Promise.all(asking);
    if (answered.length > 0) owners = await readOwners(stateDir); // that may have taken seconds
    noteUsed();
    const orphans: Orphan[] = [];
    for (const { trace, everRan } of answered) {
      if (!isNobodys(trace)) continue;
      const ending = await owners.endingOf(trace.name);
      const keepAll = keepAllBecause(owners);
      orphans.push({ trace, judged: judge(trace, { ending, everRan, keepAll, asked }) });
    }
    return { orphans, unreadable: owners.unreadable.map(toldOfRecord) };
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

function keepAllBecause({ unreadable: [first] }: Owners): string {
  return first === undefined ? "" : `${first.path} cannot be read, and may own it`;
}

function toldOfRecord({ path, why }: Unreadable): OrphanFound {
  return { kind: "record", subject: path, reason: why, swept: false, keptBecause: "" };
}

/** Differs from that of anything else that ever has that name. */
function identityOf({ name, directory, qemus }: Trace): string {
  const processes = qemus.map(({ identity }) => identity);
  return JSON.stringify([name, directory?.stamp, processes]);
}
