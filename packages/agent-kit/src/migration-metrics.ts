/*
 * The series of one migration, for whoever follows it: the same `migration_id` at both agents. Which
 * migrations have them, and for how long, is in migration-series.ts. A value that nobody knows has no series.
 */
import { CONVERGENCES } from "@ferry/qemu";
import { Gauge, type Registry } from "prom-client";
import type { AgentRole } from "./config.js";
import type { CopyFacts, MigrationSeries, MigrationTold } from "./migration-series.js";

/** Phases in which the guest stands still everywhere until the destination's word is heard. */
const AWAITING = ["released", "bereft"];

/** What a gauge says of one migration: values by the labels that are added to the migration's own. */
type Says = (migration: MigrationTold, say: (value: number, more?: Labels) => void) => void;
type Labels = Readonly<Record<string, string>>;

interface Description {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly says: Says;
}

/** Told by both agents of a migration. */
const BOTH: readonly Description[] = [
  {
    name: "ferry_migration_phase",
    help: "1 for the phase the migration is in, or ended in. The last phases of a role's table are its endings.",
    labels: ["phase"],
    says: ({ phase }, say) => {
      if (phase !== undefined) say(1, { phase });
    },
  },
  {
    name: "ferry_migration_phase_start_timestamp_seconds",
    help: "When the migration last entered each phase it passed, in seconds since 1970; after a restart of the agent, when it was found in it.",
    labels: ["phase"],
    says: ({ phases }, say) => {
      for (const [phase, atMs] of phases) say(atMs / 1000, { phase });
    },
  },
  {
    name: "ferry_migration_start_timestamp_seconds",
    help: "When the migration began at this agent, in seconds since 1970.",
    says: ({ startedAtMs }, say) => say(startedAtMs / 1000),
  },
];

/** Told by the source alone: it is its QEMU that counts. */
const SOURCE: readonly Description[] = [
  ofCopy("data_size_bytes", "The guest's memory, as QEMU counts it.", (it) => it.totalBytes),
  ofCopy(
    "data_processed_bytes",
    "Bytes sent so far. More than the guest's memory if pages are sent again.",
    (it) => it.transferredBytes,
  ),
  ofCopy(
    "data_remaining_bytes",
    "Bytes left in this pass over the memory. Grows again at the start of every pass.",
    (it) => it.remainingBytes,
  ),
  ofCopy(
    "best_remaining_bytes",
    "The least that was left at the start of a pass. Never grows; if it does not fall, the copy gets nowhere.",
    (it) => it.bestRemainingBytes,
  ),
  ofCopy(
    "progress_ratio",
    "From 0 to 1. Never runs backwards, and is 1 only once everything was sent.",
    (it) => it.ratio,
  ),
  ofCopy("iteration", "Passes over the guest's memory that were begun.", (it) => it.iteration),
  whileCopying(
    "dirty_bytes_per_second",
    "How fast the guest changes memory that was sent.",
    (it) => it.dirtyBytesPerSecond,
  ),
  whileCopying(
    "transfer_bytes_per_second",
    "How fast memory is being sent.",
    (it) => it.transferBytesPerSecond,
  ),
  whileCopying(
    "eta_seconds",
    "Until everything is sent, if nothing changes; absent while memory is changed as fast as it is sent.",
    (it) => (it.etaMs === undefined ? undefined : it.etaMs / 1000),
  ),
  whileCopying(
    "predicted_downtime_seconds",
    "How long the guest would stand still if it were stopped now, as QEMU expects.",
    (it) => it.expectedDowntimeMs / 1000,
  ),
  {
    name: "ferry_migration_convergence_state",
    help: "1 for how the copy goes: progressing, plateau (passes over the memory do not get shorter), diverging (the guest dirties at least as fast as is sent) or starved (nothing is sent). All 0 once it is over.",
    labels: ["state"],
    says: ({ copy, over, phase }, say) => {
      if (copy === undefined) return;
      const copying = !over && phase === "performing";
      for (const state of CONVERGENCES) {
        say(copying && copy.convergence === state ? 1 : 0, { state });
      }
    },
  },
  {
    name: "ferry_migration_downtime_limit_seconds",
    help: "How long the guest may stand still, as Perform asked.",
    says: ({ downtimeLimitMs }, say) => {
      if (downtimeLimitMs !== undefined) say(downtimeLimitMs / 1000);
    },
  },
  {
    name: "ferry_migration_meet_connected",
    help: "1 if the destination's agent spoke over Meet a moment ago, 0 if not.",
    says: ({ meetConnected, over }, say) => {
      if (meetConnected !== undefined && !over) say(meetConnected ? 1 : 0);
    },
  },
  {
    name: "ferry_migration_awaiting_verdict_seconds",
    help: "How long the guest has stood still everywhere: custody was given away, and the destination has not said what became of it. Absent otherwise.",
    says: ({ phase = "", phases, over }, say) => {
      if (over || !AWAITING.includes(phase)) return;
      const since = Math.min(
        ...AWAITING.map((each) => phases.get(each) ?? Number.POSITIVE_INFINITY),
      );
      say(Math.max(0, Date.now() - since) / 1000);
    },
  },
];

function ofCopy(name: string, help: string, read: (copy: CopyFacts) => number): Description {
  const says: Says = ({ copy }, say) => {
    if (copy !== undefined) say(read(copy));
  };
  return { name: `ferry_migration_${name}`, help, says };
}

/** A rate or a guess: it means nothing once the copy is over. */
function whileCopying(
  name: string,
  help: string,
  read: (copy: CopyFacts) => number | undefined,
): Description {
  const says: Says = ({ copy, over, phase }, say) => {
    const value = copy === undefined || over || phase !== "performing" ? undefined : read(copy);
    if (value !== undefined) say(value);
  };
  return { name: `ferry_migration_${name}`, help, says };
}

/**
 * One of them. Two hundred migrations have thousands of series, so their text is made here, with each
 * migration's labels written once; a registry that is asked for it in the usual way says the same, slowly.
 */
export class MigrationGauge extends Gauge {
  readonly #role: AgentRole;
  readonly #series: MigrationSeries;
  readonly #it: Description;

  constructor(it: Description, role: AgentRole, series: MigrationSeries, registers: Registry[]) {
    const labelNames = ["migration_id", "guest_id", "role", ...(it.labels ?? [])];
    super({
      name: it.name,
      help: it.help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const migration of series.told()) {
          const { migrationId: migration_id, guestId: guest_id } = migration;
          it.says(migration, (value, more) =>
            this.set({ migration_id, guest_id, role, ...more }, value),
          );
        }
      },
    });
    this.#it = it;
    this.#role = role;
    this.#series = series;
  }

  /** Its part of /metrics. */
  text(): string {
    const { name, help, says } = this.#it;
    let text = `# HELP ${name} ${help}\n# TYPE ${name} gauge`;
    for (const migration of this.#series.told()) {
      const { migrationId, guestId } = migration;
      const labels = `migration_id="${escaped(migrationId)}",guest_id="${escaped(guestId)}",role="${this.#role}"`;
      says(migration, (value, more) => {
        text += `\n${name}{${labels}`;
        for (const label in more) text += `,${label}="${more[label]}"`;
        text += `} ${value}`;
      });
    }
    return text;
  }
}

/** As Prometheus's text format wants a label's value. */
function escaped(value: string): string {
  if (!/[\\\n"]/.test(value)) return value;
  return value.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(/"/g, '\\"');
}

/** Registers them; each fills itself when it is asked for. */
export function registerMigrationMetrics(
  role: AgentRole,
  series: MigrationSeries,
  registers: Registry[],
): void {
  for (const it of role === "source" ? [...BOTH, ...SOURCE] : BOTH) {
    new MigrationGauge(it, role, series, registers);
  }
  new Gauge({
    name: "ferry_migrations_untold",
    help: "Migrations under way without series of their own, because there are more of them than are told one by one.",
    registers,
    collect() {
      this.set(series.untold);
    },
  });
}
