/*
 * For every alert a story in which it fires, and stories in which it must not. Series are in promtool's notation:
 * a sample every ten seconds, `0x6` is a value held for six more, `stale` a series that is gone, `_x6` no sample.
 */

export interface Story {
  readonly series: Readonly<Record<string, string>>;
  /** When it is looked at, from the start, e.g. "5m". */
  readonly at: string;
  /** Between two samples, and two looks at the rules. Default "10s". */
  readonly interval?: string;
}

/** Its labels are those of what fires, beside those of every alert. */
export type Firing = Story & { readonly labels: Readonly<Record<string, string>> };

export interface RuleCase {
  readonly fires: Firing;
  /** More stories in which it fires. */
  readonly too?: Readonly<Record<string, Firing>>;
  readonly quiet: Readonly<Record<string, Story>>;
}

const AT = 'job="ferry",instance="host-1:9701"';
const PEER = 'job="ferry",instance="host-2:9701"';
const HERE = { job: "ferry", instance: "host-1:9701" };
const ONE = 'migration_id="m-1",guest_id="web"';
const LEAVING = `{${AT},${ONE},role="source"}`;
const owner = (host: string, more = AT) =>
  `ferry_guest_owner_info{${more},guest_id="web",host_id="${host}"}`;
const WAITS = `ferry_migration_awaiting_verdict_seconds${LEAVING}`;
const phase = (name: string) => `ferry_migration_phase{${AT},${ONE},role="source",phase="${name}"}`;
const attempt = (n: number, name: string) =>
  `ferry_migration_phase{${AT},migration_id="m-${n}",guest_id="web",role="source",phase="${name}"}`;
const going = (state: string) =>
  `ferry_migration_convergence_state{${AT},${ONE},role="source",state="${state}"}`;
const ended = (outcome: string, reason: string) =>
  `ferry_migrations_total{${AT},role="source",outcome="${outcome}",reason="${reason}"}`;
const guests = (state: string, tethered: boolean, finished: boolean) =>
  `ferry_guests{${AT},role="${finished ? "source" : "destination"}",state="${state}",tethered="${tethered}",finished="${finished}"}`;
const losses = (cause: string) => `ferry_tether_losses_total{${AT},cause="${cause}"}`;
const bucket = (le: string) =>
  `ferry_migration_downtime_seconds_bucket{${AT},mode="precopy",le="${le}"}`;
const MOVED = { role: "source", ...HERE, migration_id: "m-1", guest_id: "web" };
const EXPIRES = `ferry_tls_certificate_expiration_timestamp_seconds{${AT}}`;
const OUT = `bytes_per_second{${AT},direction="out"}`;
const STARTED = `process_start_time_seconds{${AT}}`;
const DAY = 86_400;

export const RULE_CASES: Readonly<Record<string, RuleCase>> = {
  FerryTwoOwners: {
    fires: {
      series: { [owner("host-1")]: "1x12", [owner("host-2", PEER)]: "1x12" },
      at: "1m",
      labels: { guest_id: "web" },
    },
    quiet: {
      "both agents of one host say so": {
        series: { [owner("host-1")]: "1x12", [owner("host-1", PEER)]: "1x12" },
        at: "1m",
      },
      "it changes hands between two scrapes": {
        series: { [owner("host-1")]: "1x3 stale _x9", [owner("host-2", PEER)]: "_x2 1x10" },
        at: "1m",
      },
    },
  },
  FerryOverrideConflict: {
    fires: {
      series: { [`ferry_conflicts_total{${AT},role="source"}`]: "0 0 1x12" },
      at: "1m",
      labels: HERE,
    },
    too: {
      "it heard it again at once after its agent was restarted": {
        series: {
          [`ferry_conflicts_total{${AT},role="source"}`]: "0 1x1000",
          [STARTED]: "0x700 7000x300",
        },
        at: "2h",
        labels: HERE,
      },
    },
    quiet: {
      "long ago": {
        series: { [`ferry_conflicts_total{${AT},role="source"}`]: "0 1x1000", [STARTED]: "0x1000" },
        at: "2h",
      },
      "nothing was heard": {
        series: { [`ferry_conflicts_total{${AT},role="source"}`]: "0x12" },
        at: "1m",
      },
      "a restart counts anew": {
        series: { [`ferry_conflicts_total{${AT},role="source"}`]: "_x3 0x9" },
        at: "1m",
      },
    },
  },
  FerryGuestNowhereRunning: {
    fires: { series: { [WAITS]: "0+10x6" }, at: "20s", labels: MOVED },
    quiet: {
      "it waits a moment": { series: { [WAITS]: "0+10x1" }, at: "10s" },
      "another host says that it runs it": {
        series: { [WAITS]: "0+10x6", [owner("host-2", PEER)]: "1x6" },
        at: "20s",
      },
    },
  },
  FerryGuestPerished: {
    fires: {
      series: { [`ferry_guests_perished{${AT},role="source"}`]: "0 1x6" },
      at: "10s",
      labels: HERE,
    },
    quiet: {
      "none did": { series: { [`ferry_guests_perished{${AT},role="source"}`]: "0x6" }, at: "10s" },
    },
  },
  FerryGuestNotTakenBack: {
    fires: {
      series: { [phase("retaking")]: "1x6" },
      at: "30s",
      labels: { ...MOVED, phase: "retaking" },
    },
    quiet: {
      "it is taken back at once": { series: { [phase("retaking")]: "1 stale _x6" }, at: "30s" },
      "it left": { series: { [phase("departed")]: "1x30" }, at: "5m" },
    },
  },
  FerryUntetheredGuest: {
    fires: { series: { [guests("prepared", false, false)]: "1x6" }, at: "20s", labels: HERE },
    quiet: {
      "its caller holds it": { series: { [guests("prepared", true, false)]: "1x6" }, at: "20s" },
      "it lives here": { series: { [guests("running", false, true)]: "1x6" }, at: "20s" },
      "it is being killed": {
        series: { [guests("discarding", false, false)]: "1 stale _x5" },
        at: "20s",
      },
    },
  },
  FerryGuestLost: {
    fires: { series: { [guests("lost", false, true)]: "1x12" }, at: "90s", labels: HERE },
    quiet: {
      "it runs": {
        series: { [guests("running", false, true)]: "1x12", [guests("lost", false, true)]: "0x12" },
        at: "90s",
      },
    },
  },
  FerryGuestUnreachable: {
    fires: { series: { [guests("unreachable", false, true)]: "1x12" }, at: "90s", labels: HERE },
    quiet: {
      "its monitor answers again": {
        series: { [guests("unreachable", false, true)]: "1x2 0x10" },
        at: "90s",
      },
    },
  },
  FerryMigrationAwaitingVerdict: {
    fires: { series: { [WAITS]: "0+10x12" }, at: "90s", labels: MOVED },
    quiet: { "the verdict came": { series: { [WAITS]: "0+10x3 stale _x9" }, at: "90s" } },
  },
  FerryPeerSilent: {
    fires: {
      series: { [`ferry_peer_silent{${AT},role="source"}`]: "1x12" },
      at: "90s",
      labels: HERE,
    },
    quiet: {
      "it spoke again": {
        series: { [`ferry_peer_silent{${AT},role="source"}`]: "1x3 0x9" },
        at: "90s",
      },
    },
  },
  FerryMigrationNotConverging: {
    fires: {
      series: { [going("diverging")]: "1x30", [going("progressing")]: "0x30" },
      at: "150s",
      labels: { ...MOVED, state: "diverging" },
    },
    quiet: {
      "it progresses for hours": {
        series: { [going("progressing")]: "1x600", [going("plateau")]: "0x600" },
        at: "90m",
      },
      "it was stuck for a minute": { series: { [going("plateau")]: "1x6 0x24" }, at: "150s" },
    },
  },
  FerryMigrationStarved: {
    fires: {
      series: { [going("starved")]: "1x12" },
      at: "1m",
      labels: { ...MOVED, state: "starved" },
    },
    quiet: { "for a moment": { series: { [going("starved")]: "1x1 0x10" }, at: "1m" } },
  },
  FerryMigrationFailureRatio: {
    fires: {
      series: {
        [ended("failed", "QEMU_FAILED")]: "0+1x60",
        [ended("succeeded", "none")]: "0+1x60",
      },
      at: "10m",
      labels: {},
    },
    quiet: {
      "one of two failed": {
        series: {
          [ended("failed", "QEMU_FAILED")]: "0 1x60",
          [ended("succeeded", "none")]: "0 1x60",
        },
        at: "10m",
      },
      "many failed among very many": {
        series: {
          [ended("failed", "QEMU_FAILED")]: "0+1x60",
          [ended("succeeded", "none")]: "0+10x60",
        },
        at: "10m",
      },
      "nothing moves": { series: { [ended("failed", "QEMU_FAILED")]: "0x60" }, at: "10m" },
    },
  },
  FerryGuestCannotLeave: {
    fires: {
      series: {
        [attempt(1, "kept")]: "1x30",
        [attempt(2, "kept")]: "_x6 1x30",
        [attempt(3, "kept")]: "_x12 1x30",
      },
      at: "10m",
      labels: { ...HERE, guest_id: "web" },
    },
    quiet: {
      "it came back twice": {
        series: { [attempt(1, "kept")]: "1x30", [attempt(2, "kept")]: "_x6 1x30" },
        at: "10m",
      },
      "the fourth attempt landed": {
        series: {
          [attempt(1, "kept")]: "1x30",
          [attempt(2, "kept")]: "_x6 1x30",
          [attempt(3, "kept")]: "_x12 1x30",
          [attempt(4, "departed")]: "_x18 1x30",
        },
        at: "10m",
      },
      "one attempt after the other is under way": {
        series: Object.fromEntries(
          [1, 2, 3, 4].map((n) => [attempt(n, "performing"), `_x${n * 6} 1x6 stale _x60`]),
        ),
        at: "10m",
      },
      "an hour lies between them": {
        series: Object.fromEntries(
          [1, 2, 3].map((n) => [attempt(n, "kept"), `_x${(n - 1) * 360} 1x30 stale _x900`]),
        ),
        at: "125m",
      },
    },
  },
  FerryMigrationDowntimeHigh: {
    fires: {
      series: {
        [bucket("1")]: "0x90",
        [bucket("3")]: "0+1x90",
        [bucket("+Inf")]: "0+1x90",
        [`ferry_migration_downtime_seconds_count{${AT},mode="precopy"}`]: "0+1x90",
      },
      at: "15m",
      labels: {},
    },
    quiet: {
      "guests stand still for a moment": {
        series: {
          [bucket("1")]: "0+1x90",
          [bucket("3")]: "0+1x90",
          [bucket("+Inf")]: "0+1x90",
          [`ferry_migration_downtime_seconds_count{${AT},mode="precopy"}`]: "0+1x90",
        },
        at: "15m",
      },
      "one guest stood still for long": {
        series: {
          [bucket("1")]: "0x90",
          [bucket("3")]: "0 1x89",
          [bucket("+Inf")]: "0 1x89",
          [`ferry_migration_downtime_seconds_count{${AT},mode="precopy"}`]: "0 1x89",
        },
        at: "15m",
      },
    },
  },
  FerryMigrationExcessive: {
    fires: {
      series: Object.fromEntries(
        Array.from({ length: 12 }, (_, index) => [
          `ferry_migration_phase{${AT},migration_id="m-${index}",guest_id="web",role="source",phase="departed"}`,
          `_x${index * 30} 1x29`,
        ]),
      ),
      at: "2h",
      labels: { guest_id: "web" },
    },
    quiet: {
      "one move is told for minutes": { series: { [phase("departed")]: "1x30" }, at: "2h" },
    },
  },
  FerryTethersCut: {
    fires: {
      series: { [losses("keepalive")]: "0 0 1x12", [losses("cancelled")]: "0x14" },
      at: "1m",
      labels: { ...HERE, cause: "keepalive" },
    },
    too: {
      "one dies with each of its agent's deaths, and each counts to one": {
        series: { [losses("agent_died")]: "0x3 1x200", [STARTED]: "0x3 30x147 1500x50" },
        at: "26m",
        labels: { ...HERE, cause: "agent_died" },
      },
    },
    quiet: {
      "callers cancelled": {
        series: { [losses("cancelled")]: "0 0 1x12", [losses("keepalive")]: "0x14" },
        at: "1m",
      },
      "long ago": { series: { [losses("keepalive")]: "0 0 1x120", [STARTED]: "0x122" }, at: "15m" },
      "its agent has just started, and none died": {
        series: { [losses("agent_died")]: "1x3 0x20", [STARTED]: "0x3 30x20" },
        at: "2m",
      },
    },
  },
  FerryOverrideUsed: {
    fires: {
      series: { [`ferry_overrides_total{${AT},role="source"}`]: "0 0 1x12" },
      at: "1m",
      labels: HERE,
    },
    quiet: {
      "nobody did": {
        series: { [`ferry_overrides_total{${AT},role="source"}`]: "0x12" },
        at: "1m",
      },
    },
  },
  FerryAgentDownWithGuests: {
    fires: {
      series: { [guests("running", false, true)]: "2x6 stale _x200", [`up{${AT}}`]: "1x6 0x200" },
      at: "15m",
      labels: HERE,
    },
    quiet: {
      "its guests had left": {
        series: {
          [guests("running", false, true)]: "2x3 0x3 stale _x200",
          [`up{${AT}}`]: "1x6 0x200",
        },
        at: "15m",
      },
      "it was restarted": {
        series: {
          [guests("running", false, true)]: "2x6 stale _x5 2x200",
          [`up{${AT}}`]: "1x6 0x6 1x200",
        },
        at: "15m",
      },
    },
  },
  FerryAgentDown: {
    fires: {
      series: {
        [`ferry_build_info{${AT},role="destination",version="1"}`]: "1x6 stale _x200",
        [`up{${AT}}`]: "1x6 0x200",
      },
      at: "18m",
      labels: HERE,
    },
    too: {
      "it is not even looked for any more": {
        series: {
          [`ferry_build_info{${AT},role="destination",version="1"}`]: "1x6 stale _x200",
          [`up{${AT}}`]: "1x6 stale _x200",
        },
        at: "18m",
        labels: HERE,
      },
    },
    quiet: {
      "it was upgraded": {
        series: {
          [`ferry_build_info{${AT},role="destination",version="1"}`]: "1x6 stale _x200",
          [`ferry_build_info{${AT},role="destination",version="2"}`]: "_x20 1x190",
          [`up{${AT}}`]: "1x6 0x13 1x190",
        },
        at: "18m",
      },
      "its host was taken away long ago": {
        series: {
          [`ferry_build_info{${AT},role="destination",version="1"}`]: "1x6 stale _x600",
          [`up{${AT}}`]: "1x6 stale _x600",
        },
        at: "90m",
      },
      "another program is away": { series: { [`up{${PEER}}`]: "1x6 0x200" }, at: "18m" },
    },
  },
  FerryStateUnwritable: {
    fires: {
      series: { [`ferry_state_directory_unwritable{${AT},role="source"}`]: "0 1x6" },
      at: "10s",
      labels: HERE,
    },
    quiet: {
      "it is slow": {
        series: {
          [`ferry_state_directory_unwritable{${AT},role="source"}`]: "0x6",
          [`ferry_journal_write_failures_total{${AT},code="ENOSPC"}`]: "0x6",
        },
        at: "1m",
      },
    },
  },
  FerryStateHung: {
    fires: {
      // Its agent is killed for it: told all the same.
      series: { [`ferry_state_directory_hung{${AT},role="source"}`]: "0 1x2 stale _x20" },
      at: "2m",
      labels: HERE,
    },
    quiet: {
      "it answers": {
        series: { [`ferry_state_directory_hung{${AT},role="source"}`]: "0x12" },
        at: "1m",
      },
      "it has answered again for a while": {
        series: { [`ferry_state_directory_hung{${AT},role="source"}`]: "1x3 0x60" },
        at: "8m",
      },
      "it refuses, which is an answer": {
        series: {
          [`ferry_state_directory_hung{${AT},role="source"}`]: "0x12",
          [`ferry_state_directory_unwritable{${AT},role="source"}`]: "1x12",
        },
        at: "1m",
      },
    },
  },
  FerryCertificateExpiring: {
    fires: { series: { [EXPIRES]: `${6 * DAY}x6` }, at: "1m", labels: HERE },
    quiet: {
      "it is young": { series: { [EXPIRES]: `${30 * DAY}x6` }, at: "1m" },
      "there is none over plaintext": { series: { [EXPIRES]: "0x6" }, at: "1m" },
    },
  },
  FerryCertificateExpiringToday: {
    fires: { series: { [EXPIRES]: `${DAY / 2}x6` }, at: "1m", labels: HERE },
    too: {
      "it has ended, so nobody can scrape its agent any more": {
        series: { [EXPIRES]: "600x60 stale _x300" },
        at: "30m",
        labels: HERE,
      },
    },
    quiet: {
      "it was renewed in time": { series: { [EXPIRES]: `600x30 ${90 * DAY}x30` }, at: "8m" },
      "there are days left": { series: { [EXPIRES]: `${6 * DAY}x6` }, at: "1m" },
    },
  },
  FerryFileRefused: {
    fires: {
      series: { [`ferry_file_refused{${AT},file="tls"}`]: "1x60" },
      at: "6m",
      labels: { ...HERE, file: "tls" },
    },
    quiet: {
      "it was half written": {
        series: { [`ferry_file_refused{${AT},file="tls"}`]: "1x2 0x58" },
        at: "6m",
      },
    },
  },
  FerryAuditLogChanged: {
    fires: {
      series: { [`ferry_audit_log_changed{${AT},role="source"}`]: "0 1x6" },
      at: "1m",
      labels: HERE,
    },
    quiet: {
      "it is as it was": {
        series: { [`ferry_audit_log_changed{${AT},role="source"}`]: "0x6" },
        at: "1m",
      },
    },
  },
  FerryPlaintext: {
    fires: { series: { [`ferry_plaintext{${AT}}`]: "1x400" }, at: "61m", labels: HERE },
    quiet: { "it speaks TLS": { series: { [`ferry_plaintext{${AT}}`]: "0x400" }, at: "61m" } },
  },
  FerryOrphansPresent: {
    fires: {
      series: { [`ferry_orphans{${AT},kind="process"}`]: "1x120" },
      at: "16m",
      labels: { ...HERE, kind: "process" },
    },
    quiet: {
      "it was swept": {
        series: { [`ferry_orphans{${AT},kind="process"}`]: "1x30 0x90" },
        at: "16m",
      },
    },
  },
  FerryBandwidthSaturated: {
    fires: {
      series: {
        [`ferry_bandwidth_used_${OUT}`]: "95x200",
        [`ferry_bandwidth_budget_${OUT}`]: "100x200",
      },
      at: "31m",
      labels: { ...HERE, direction: "out" },
    },
    quiet: {
      "what leaves is measured by what may leave": {
        series: {
          [`ferry_bandwidth_used_${OUT}`]: "95x200",
          [`ferry_bandwidth_budget_${OUT}`]: "200x200",
          [`ferry_bandwidth_budget_bytes_per_second{${AT},direction="in"}`]: "100x200",
        },
        at: "31m",
      },
      "half of it is used": {
        series: {
          [`ferry_bandwidth_used_${OUT}`]: "50x200",
          [`ferry_bandwidth_budget_${OUT}`]: "100x200",
        },
        at: "31m",
      },
      "there is no limit": {
        series: {
          [`ferry_bandwidth_used_${OUT}`]: "95x200",
          [`ferry_bandwidth_budget_${OUT}`]: "0x200",
        },
        at: "31m",
      },
    },
  },
  FerryEventLoopSlow: {
    fires: {
      series: {
        [`nodejs_eventloop_lag_p99_seconds{${AT}}`]: "0.9x60",
        [`ferry_build_info{${AT},version="1"}`]: "1x60",
      },
      at: "6m",
      labels: HERE,
    },
    quiet: {
      "another program of Node is slow": {
        series: {
          [`nodejs_eventloop_lag_p99_seconds{${PEER}}`]: "0.9x60",
          [`ferry_build_info{${AT},version="1"}`]: "1x60",
        },
        at: "6m",
      },
      "it is quick": {
        series: {
          [`nodejs_eventloop_lag_p99_seconds{${AT}}`]: "0.02x60",
          [`ferry_build_info{${AT},version="1"}`]: "1x60",
        },
        at: "6m",
      },
    },
  },
  FerryVersionSkew: {
    fires: {
      series: {
        [`ferry_build_info{${AT},version="1",protocol="1"}`]: "1x300",
        [`ferry_build_info{${PEER},version="2",protocol="1"}`]: "1x300",
      },
      at: "1470m",
      interval: "5m",
      labels: {},
    },
    quiet: {
      "an upgrade is under way": {
        series: {
          [`ferry_build_info{${AT},version="1",protocol="1"}`]: "1x300",
          [`ferry_build_info{${PEER},version="2",protocol="1"}`]: "1x300",
        },
        at: "600m",
        interval: "5m",
      },
      "hosts differ in their QEMU": {
        series: {
          [`ferry_build_info{${AT},version="1",protocol="1",qemu_versions="7.2.22"}`]: "1x300",
          [`ferry_build_info{${PEER},version="1",protocol="1",qemu_versions="9.2.0"}`]: "1x300",
        },
        at: "1470m",
        interval: "5m",
      },
    },
  },
};
