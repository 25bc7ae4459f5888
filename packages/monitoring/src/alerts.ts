/*
 * What wakes a person, and what only waits for one in the morning. Each alert has a runbook of its name in
 * docs/runbooks, a case in which it fires and one in which it does not (test/src/monitoring). Expressions hold
 * at the moment at which two series exist for one guest, and say nothing of migrations that are over.
 */

export type Severity = "critical" | "warning" | "info";

export interface Alert {
  readonly name: string;
  readonly severity: Severity;
  readonly expr: string;
  /** How long it must hold before somebody is told; undefined: at once. */
  readonly for?: string;
  /** One line, with the names of what it is about. */
  readonly summary: string;
  readonly description: string;
}

/**
 * Whether a counter grew within the last `seconds`. An agent that has just started may have counted before it was first
 * scraped, up to where its predecessor stood: `increase` sees nothing then, and what it has counted is all new.
 */
function grew(counter: string, by: string, seconds: number): string {
  const fresh = `${counter} and on (job, instance) time() - process_start_time_seconds < ${seconds}`;
  return `sum by (${by}) (increase(${counter}[${seconds}s])) > 0 or sum by (${by}) (${fresh}) > 0`;
}

/** Two copies run, or the guest stands still everywhere, or is gone: each second counts. */
const GUESTS: readonly Alert[] = [
  {
    name: "FerryTwoOwners",
    severity: "critical",
    // One host's two agents may both say so for a moment: they are one owner.
    expr: "count by (guest_id) (count by (guest_id, host_id) (ferry_guest_owner_info)) > 1",
    for: "30s",
    summary: "Guest {{ $labels.guest_id }} runs on more than one host",
    description:
      "More than one host says that it runs this guest. Ferry never does that by itself: somebody overrode a host that was not gone, or started the guest twice by hand.",
  },
  {
    name: "FerryOverrideConflict",
    severity: "critical",
    expr: grew("ferry_conflicts_total", "job, instance", 3600),
    summary: "{{ $labels.instance }} heard a word that cannot be true beside its own",
    description:
      "The other side of a migration that was overridden says that the guest landed there. Two copies may run.",
  },
  {
    name: "FerryGuestNowhereRunning",
    severity: "critical",
    expr: "ferry_migration_awaiting_verdict_seconds > 15 unless on (guest_id) ferry_guest_owner_info",
    summary: "Guest {{ $labels.guest_id }} stands still, and no host runs it",
    description:
      "Its source has released it and does not hear from the destination what became of it, and no host says that it runs it.",
  },
  {
    name: "FerryGuestPerished",
    severity: "critical",
    expr: "max by (job, instance) (ferry_guests_perished) > 0",
    summary: "A guest perished, as {{ $labels.instance }} knows it",
    description:
      "Its QEMU died after the guest may have run at the destination. Nobody starts an older copy without a person's word.",
  },
  {
    name: "FerryGuestNotTakenBack",
    severity: "critical",
    expr: 'ferry_migration_phase{role="source",phase=~"retaking|resuming"} == 1',
    for: "15s",
    summary: "Guest {{ $labels.guest_id }} is to run again at its source, and does not",
    description:
      "The migration came to nothing and the guest is its source's again, but QEMU refuses to let it run. The agent tries again ten times a second.",
  },
  {
    name: "FerryUntetheredGuest",
    severity: "critical",
    expr: 'sum by (job, instance) (ferry_guests{finished="false",tethered="false"}) > 0',
    for: "10s",
    summary: "An arriving guest on {{ $labels.instance }} is tethered to nobody",
    description:
      "A guest that has not landed has no caller, and has not been killed. It holds memory and a port, and may hold up its migration.",
  },
  {
    name: "FerryGuestLost",
    severity: "warning",
    expr: 'sum by (job, instance) (ferry_guests{role="source",state="lost"}) > 0',
    for: "1m",
    summary: "A guest of {{ $labels.instance }} is dead",
    description:
      "Its QEMU ended without being told to, or its host was started again. Ferry starts no guest by itself.",
  },
  {
    name: "FerryGuestUnreachable",
    severity: "warning",
    expr: 'sum by (job, instance) (ferry_guests{role="source",state="unreachable"}) > 0',
    for: "1m",
    summary: "A guest of {{ $labels.instance }} runs, and its agent cannot speak with its QEMU",
    description:
      "Its monitor does not answer: its run directory was removed, or something else holds the monitor. It cannot leave this host.",
  },
];

/** Migrations that do not get on, or do so too often. */
const MIGRATIONS: readonly Alert[] = [
  {
    name: "FerryMigrationAwaitingVerdict",
    severity: "warning",
    expr: "ferry_migration_awaiting_verdict_seconds > 60",
    summary:
      "The source of guest {{ $labels.guest_id }} has waited for a verdict for over a minute",
    description:
      "Custody was given away, and the destination's agent has not said what became of the guest. The source asks for as long as it takes.",
  },
  {
    name: "FerryPeerSilent",
    severity: "warning",
    expr: "max by (job, instance) (ferry_peer_silent) > 0",
    for: "1m",
    summary: "{{ $labels.instance }} waits for the word of an agent that says nothing",
    description: "A migration cannot go on or end until the other host's agent is heard again.",
  },
  {
    name: "FerryMigrationNotConverging",
    severity: "warning",
    expr: 'ferry_migration_convergence_state{state=~"plateau|diverging"} == 1',
    for: "2m",
    summary: "The migration of guest {{ $labels.guest_id }} gets nowhere ({{ $labels.state }})",
    description:
      "What is left at the start of a pass over the guest's memory has not fallen for a while. It will not end by itself.",
  },
  {
    name: "FerryMigrationStarved",
    severity: "warning",
    expr: 'ferry_migration_convergence_state{state="starved"} == 1',
    for: "30s",
    summary: "Nothing of guest {{ $labels.guest_id }} is being sent",
    description: "The copy is under way, and no byte of it moves.",
  },
  {
    name: "FerryMigrationFailureRatio",
    severity: "warning",
    expr: 'sum(increase(ferry_migrations_total{role="source",outcome="failed"}[1h])) / sum(increase(ferry_migrations_total{role="source"}[1h])) > 0.2 and sum(increase(ferry_migrations_total{role="source",outcome="failed"}[1h])) >= 5',
    summary: "More than a fifth of the migrations of the last hour failed",
    description: "At least five migrations failed within an hour; their guests run on at home.",
  },
  {
    name: "FerryGuestCannotLeave",
    severity: "warning",
    // An agent knows nothing of a drain, but of each attempt; one that is over is told for some minutes.
    expr: 'count by (job, instance, guest_id) (present_over_time(ferry_migration_phase{role="source",phase="kept"}[30m])) >= 3 unless on (job, instance, guest_id) present_over_time(ferry_migration_phase{role="source",phase="departed"}[30m])',
    for: "2m",
    summary:
      "Guest {{ $labels.guest_id }} was to leave {{ $labels.instance }} three times or more, and is still there",
    description:
      "At least three migrations of this guest came to nothing within half an hour, and none landed. Whoever empties its host waits for it.",
  },
  {
    name: "FerryMigrationDowntimeHigh",
    severity: "warning",
    expr: "histogram_quantile(0.95, sum by (le) (rate(ferry_migration_downtime_seconds_bucket[1h]))) > 1 and sum(increase(ferry_migration_downtime_seconds_count[1h])) >= 5",
    for: "5m",
    summary: "Guests stand still for more than a second when they move",
    description:
      "The 95th percentile of the blackout, from STOP to RESUME, was over a second within the last hour.",
  },
  {
    name: "FerryMigrationExcessive",
    severity: "info",
    // A migration's series live for some minutes: over a day, each is one migration.
    expr: 'count by (guest_id) (present_over_time(ferry_migration_phase{role="source",phase="departed"}[1d])) >= 12',
    summary: "Guest {{ $labels.guest_id }} moved twelve times or more in a day",
    description:
      "Something moves this guest again and again: two controllers, or a rule that is never content.",
  },
  {
    name: "FerryTethersCut",
    severity: "warning",
    expr: grew(
      'ferry_tether_losses_total{cause!~"cancelled|shutdown"}',
      "job, instance, cause",
      600,
    ),
    summary: "Arriving guests on {{ $labels.instance }} were killed: {{ $labels.cause }}",
    description:
      "Their callers' streams were cut, so they were killed, as promised. Their guests run on at the source.",
  },
  {
    name: "FerryOverrideUsed",
    severity: "info",
    expr: "sum by (job, instance) (increase(ferry_overrides_total[1h])) > 0",
    summary: "Somebody stood in for a host, at {{ $labels.instance }}",
    description:
      "A person said that the other host of a migration is gone. The audit log says who, and why.",
  },
];

/** What the agents themselves need. */
const AGENTS: readonly Alert[] = [
  {
    name: "FerryAgentDownWithGuests",
    severity: "warning",
    expr: 'sum by (job, instance) (last_over_time(ferry_guests{role="source"}[1h])) > 0 unless on (job, instance) up == 1',
    for: "10m",
    summary: "The source agent {{ $labels.instance }} is away, and guests live there",
    description: "Its guests go on without it. They cannot leave, and nobody notices if they die.",
  },
  {
    name: "FerryAgentDown",
    severity: "warning",
    // Of either role: a host without its destination agent takes no guest, and its verdicts are waited for.
    expr: "max by (job, instance) (last_over_time(ferry_build_info[1h])) unless on (job, instance) up == 1",
    for: "15m",
    summary: "The agent {{ $labels.instance }} is away",
    description:
      "It was seen within the last hour and has not been for a quarter of one. Nothing arrives at its host or leaves it, as its role may be, and migrations wait for its word.",
  },
  {
    name: "FerryStateUnwritable",
    severity: "critical",
    expr: "max by (job, instance) (ferry_state_directory_unwritable) > 0 or sum by (job, instance) (increase(ferry_journal_write_failures_total[5m])) > 0",
    summary: "{{ $labels.instance }} cannot write its state directory",
    description:
      "No word about custody is said before it is on disk: new migrations are refused, and what is under way waits where it must.",
  },
  {
    name: "FerryStateHung",
    severity: "critical",
    // Whoever watches liveness ends such an agent within a minute, and its series with it: remembered a while.
    expr: "max by (job, instance) (max_over_time(ferry_state_directory_hung[5m])) > 0",
    summary: "The state directory of {{ $labels.instance }} does not answer",
    description:
      "What the agent asks of its disk is neither done nor refused. It can promise nothing: migrations wait where they are, and a guest that is being handed over may stand still.",
  },
  {
    name: "FerryCertificateExpiring",
    severity: "warning",
    expr: "min by (job, instance) (ferry_tls_certificate_expiration_timestamp_seconds > 0) - time() < 7 * 86400",
    summary: "The certificate of {{ $labels.instance }} ends within a week",
    description:
      "After its end nobody talks to this agent: no migration begins, and those under way cannot end.",
  },
  {
    name: "FerryCertificateExpiringToday",
    severity: "critical",
    // Metrics over TLS cannot be scraped any more once it has ended: remembered, or the alert would end with it.
    expr: "min by (job, instance) (last_over_time(ferry_tls_certificate_expiration_timestamp_seconds[1d]) > 0) - time() < 86400",
    summary: "The certificate of {{ $labels.instance }} ends within a day, or has ended",
    description:
      "After its end nobody talks to this agent: no migration begins, and those under way cannot end.",
  },
  {
    name: "FerryFileRefused",
    severity: "warning",
    expr: "max by (job, instance, file) (ferry_file_refused) > 0",
    for: "5m",
    summary: "{{ $labels.instance }} cannot use its new {{ $labels.file }} file",
    description:
      "The file was changed on disk and cannot be used, so the one before it stays in force.",
  },
  {
    name: "FerryAuditLogChanged",
    severity: "warning",
    expr: "max by (job, instance) (ferry_audit_log_changed) > 0",
    summary: "The audit log of {{ $labels.instance }} is not as it was written",
    description:
      "A line of it was changed, added or taken out, or the file was taken away: what it says of overrides, sweeps and killed guests proves nothing.",
  },
  {
    name: "FerryPlaintext",
    severity: "warning",
    expr: "max by (job, instance) (ferry_plaintext) > 0",
    for: "1h",
    summary: "{{ $labels.instance }} speaks without TLS",
    description: "Anybody on its network may command it, and pose as another agent.",
  },
  {
    name: "FerryOrphansPresent",
    severity: "warning",
    expr: "sum by (job, instance, kind) (ferry_orphans) > 0",
    for: "15m",
    summary: "{{ $labels.instance }} found something that belongs to no guest ({{ $labels.kind }})",
    description:
      "It may hold memory, ports or names that a guest needs, or be a QEMU that nobody knows of.",
  },
  {
    name: "FerryBandwidthSaturated",
    severity: "info",
    expr: "ferry_bandwidth_used_bytes_per_second / (ferry_bandwidth_budget_bytes_per_second > 0) > 0.9",
    for: "30m",
    summary: "{{ $labels.instance }} has used up its bandwidth for migrations for half an hour",
    description:
      "Migrations wait for one another's bandwidth. That is what a budget is for; it may be too small.",
  },
  {
    name: "FerryEventLoopSlow",
    severity: "warning",
    expr: "max by (job, instance) (nodejs_eventloop_lag_p99_seconds and on (job, instance) ferry_build_info) > 0.5",
    for: "5m",
    summary: "{{ $labels.instance }} is too busy to answer in time",
    description: "An agent that answers late cuts tethers that are fine, and lengthens blackouts.",
  },
  {
    name: "FerryVersionSkew",
    severity: "info",
    expr: "count(count by (version, protocol) (ferry_build_info)) > 1",
    for: "1d",
    summary: "Agents of different versions have been running for a day",
    description: "An upgrade was begun and has not come to its end.",
  },
];

/** Groups as Prometheus evaluates them. */
export const ALERTS: Readonly<Record<string, readonly Alert[]>> = {
  "ferry-guests": GUESTS,
  "ferry-migrations": MIGRATIONS,
  "ferry-agents": AGENTS,
};
