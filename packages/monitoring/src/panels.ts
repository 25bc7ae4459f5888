/* What the dashboard shows, row by row: each panel a question, and the queries that answer it. */

export interface Query {
  readonly expr: string;
  readonly legend: string;
}

export interface PanelSpec {
  readonly kind: "stat" | "timeseries" | "timeline";
  readonly title: string;
  /** Grafana's unit, e.g. "bytes", "s", "short". */
  readonly unit: string;
  readonly queries: readonly Query[];
  /** Of 24 columns. */
  readonly width: number;
  readonly description: string;
}

const ID = '{migration_id="$migration"}';
const one = (name: string, legend: string): Query => ({
  expr: `ferry_migration_${name}${ID}`,
  legend,
});
const quantile = (q: number, histogram: string): Query => ({
  expr: `histogram_quantile(${q}, sum by (le) (rate(${histogram}_bucket{job="$job"}[1h])))`,
  legend: `p${q * 100}`,
});

const bandwidth = (direction: "out" | "in"): readonly Query[] => [
  {
    expr: `ferry_bandwidth_used_bytes_per_second{job="$job",direction="${direction}"}`,
    legend: "{{instance}} used",
  },
  {
    expr: `ferry_bandwidth_budget_bytes_per_second{job="$job",direction="${direction}"} > 0`,
    legend: "{{instance}} budget",
  },
];

/** Rows, from what everybody looks at to what one person looks for. */
export const PANELS: Readonly<Record<string, readonly PanelSpec[]>> = {
  Fleet: [
    {
      kind: "stat",
      title: "Guests",
      unit: "short",
      width: 4,
      description: "Guests that live on these hosts.",
      queries: [{ expr: 'sum(ferry_guests{job="$job",finished="true"})', legend: "guests" }],
    },
    {
      kind: "stat",
      title: "Under way",
      unit: "short",
      width: 4,
      description: "Migrations under way, counted at their sources.",
      queries: [
        { expr: 'sum(ferry_migrations_active{job="$job",role="source"})', legend: "migrations" },
      ],
    },
    {
      kind: "stat",
      title: "Waiting for a person",
      unit: "short",
      width: 4,
      description: "Guests that perished: nobody starts an older copy without a person's word.",
      queries: [{ expr: 'max(ferry_guests_perished{job="$job"})', legend: "guests" }],
    },
    {
      kind: "timeseries",
      title: "Migrations that ended, by outcome",
      unit: "short",
      width: 12,
      description: "Counted at their sources, per hour.",
      queries: [
        {
          expr: 'sum by (outcome) (increase(ferry_migrations_total{job="$job",role="source"}[1h]))',
          legend: "{{outcome}}",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Blackout, STOP to RESUME",
      unit: "s",
      width: 8,
      description: "How long guests stood still, over the last hour.",
      queries: [0.5, 0.95, 0.99].map((q) => quantile(q, "ferry_migration_downtime_seconds")),
    },
    {
      kind: "timeseries",
      title: "Duration, Begin to settled",
      unit: "s",
      width: 8,
      description: "How long migrations took, over the last hour.",
      queries: [0.5, 0.95].map((q) => quantile(q, "ferry_migration_duration_seconds")),
    },
    {
      kind: "timeseries",
      title: "Failures by reason",
      unit: "short",
      width: 8,
      description: "Per hour. What each reason means is in docs/errors.md.",
      queries: [
        {
          expr: 'sum by (reason) (increase(ferry_migrations_total{job="$job",role="source",outcome="failed"}[1h])) > 0',
          legend: "{{reason}}",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Bandwidth of guests that leave, beside the budget",
      unit: "Bps",
      width: 12,
      description: "Of each host; where there is no budget there is no limit.",
      queries: bandwidth("out"),
    },
    {
      kind: "timeseries",
      title: "Bandwidth of guests that arrive, beside the budget",
      unit: "Bps",
      width: 12,
      description: "Of each host, as the sources tell; where there is no budget there is no limit.",
      queries: bandwidth("in"),
    },
  ],
  "One migration": [
    {
      kind: "timeline",
      title: "Phases, at both ends",
      unit: "short",
      width: 24,
      description: "Where the migration was, as each of its two agents tells it.",
      queries: [one("phase", "{{role}}: {{phase}}")],
    },
    {
      kind: "timeseries",
      title: "Left to send",
      unit: "bytes",
      width: 12,
      description:
        "Remaining grows at the start of each pass; if the best does not fall, it gets nowhere.",
      queries: [one("data_remaining_bytes", "remaining"), one("best_remaining_bytes", "best")],
    },
    {
      kind: "timeseries",
      title: "Dirtied, beside sent",
      unit: "Bps",
      width: 12,
      description: "A guest that dirties memory as fast as it is sent does not get away.",
      queries: [one("dirty_bytes_per_second", "dirtied"), one("transfer_bytes_per_second", "sent")],
    },
    {
      kind: "timeseries",
      title: "Predicted blackout, beside the limit",
      unit: "s",
      width: 8,
      description: "It switches over once the prediction is below the limit.",
      queries: [
        one("predicted_downtime_seconds", "predicted"),
        one("downtime_limit_seconds", "limit"),
      ],
    },
    {
      kind: "timeseries",
      title: "Progress",
      unit: "percentunit",
      width: 8,
      description: "Never runs backwards.",
      queries: [one("progress_ratio", "progress")],
    },
    {
      kind: "timeline",
      title: "How the copy goes",
      unit: "short",
      width: 8,
      description: "Progressing, plateau, diverging or starved; see docs/metrics.md.",
      queries: [{ expr: `ferry_migration_convergence_state${ID} == 1`, legend: "{{state}}" }],
    },
  ],
  "Tethers and autokills": [
    {
      kind: "timeseries",
      title: "Tethers held",
      unit: "short",
      width: 8,
      description: "Callers' streams that hold a guest's life.",
      queries: [{ expr: 'ferry_tethers_open{job="$job"}', legend: "{{instance}}" }],
    },
    {
      kind: "timeseries",
      title: "Guests killed, by cause",
      unit: "short",
      width: 8,
      description: "Arriving guests whose tether was cut, per hour.",
      queries: [
        {
          expr: 'sum by (cause) (increase(ferry_tether_losses_total{job="$job"}[1h]))',
          legend: "{{cause}}",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "From the cut until reaped",
      unit: "s",
      width: 8,
      description: "How long an abandoned QEMU lived.",
      queries: [0.5, 0.99].map((q) => quantile(q, "ferry_tether_kill_seconds")),
    },
  ],
  Agents: [
    {
      kind: "timeseries",
      title: "Calls",
      unit: "reqps",
      width: 8,
      description: "By method.",
      queries: [
        {
          expr: 'sum by (grpc_method) (rate(grpc_server_started_total{job="$job"}[5m]))',
          legend: "{{grpc_method}}",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Calls that did not end with OK",
      unit: "reqps",
      width: 8,
      description: "By code. A cut tether is CANCELLED.",
      queries: [
        {
          expr: 'sum by (grpc_code) (rate(grpc_server_handled_total{job="$job",grpc_code!="OK"}[5m]))',
          legend: "{{grpc_code}}",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Event loop's delay, p99",
      unit: "s",
      width: 8,
      description: "An agent that is late cuts tethers that are fine.",
      queries: [{ expr: 'nodejs_eventloop_lag_p99_seconds{job="$job"}', legend: "{{instance}}" }],
    },
    {
      kind: "timeseries",
      title: "Writing a record, p99",
      unit: "s",
      width: 8,
      description: "By step. Two records are synced in every blackout.",
      queries: [
        {
          expr: 'histogram_quantile(0.99, sum by (step, le) (rate(ferry_journal_write_seconds_bucket{job="$job"}[5m])))',
          legend: "{{step}}",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Memory",
      unit: "bytes",
      width: 8,
      description: "Resident memory of each agent.",
      queries: [
        {
          expr: 'process_resident_memory_bytes{job="$job"} and on (job, instance) ferry_build_info',
          legend: "{{instance}}",
        },
      ],
    },
    {
      kind: "timeseries",
      title: "Certificates' time left",
      unit: "s",
      width: 8,
      description: "Of agents that speak TLS.",
      queries: [
        {
          expr: '(ferry_tls_certificate_expiration_timestamp_seconds{job="$job"} > 0) - time()',
          legend: "{{instance}}",
        },
      ],
    },
  ],
};
