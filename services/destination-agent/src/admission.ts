/*
 * May this guest arrive here? Every reason against it is found and listed with its evidence, not
 * only the first: a person who mends one thing wants to know of the other three.
 */
import { readFile } from "node:fs/promises";
import { fromWireAccelerator, fromWireSpec, invalid, type Transport } from "@ferry/agent-kit";
import { type Blocker, Fault, type GuestDescription } from "@ferry/contract";
import { checkPaths, compareCpu, type GuestSpec } from "@ferry/qemu";
import { isShort } from "@ferry/qmp";
import type { Arrivals } from "./arrivals.js";
import { checkDescription } from "./description-form.js";
import type { Host } from "./host.js";
import { placeFor } from "./networks.js";

/** QEMU itself, beside the guest's memory, in bytes (measured: 36-44 MB resident with a small guest). */
const QEMU_OVERHEAD_BYTES = 64 * 1024 * 1024;

/** A guest somebody wants to bring here. */
export interface Candidate {
  readonly spec: GuestSpec;
  readonly accelerator: "kvm" | "tcg";
  readonly cpuProperties: Readonly<Record<string, string>>;
  readonly qemuVersion: string;
  readonly paused: boolean;
  readonly sourceAgentId: string;
  readonly sourceHostId: string;
  readonly transport: Transport;
  /** As the caller named it; empty: the default. */
  readonly network: string;
  /** Who wants to bring it, as its certificate says. */
  readonly caller: string;
}

/** Reads a description and refuses a malformed one. */
export function candidateOf(
  description: GuestDescription | undefined,
  { transport, network, caller }: Pick<Candidate, "transport" | "network" | "caller">,
): Candidate {
  if (description === undefined) throw invalid("description", "the guest, as Begin described it");
  checkDescription(description);
  const { sourceAgentId, sourceHostId } = description;
  const accelerator = fromWireAccelerator(description.accelerator, "description.accelerator");
  if (accelerator === "auto") {
    throw invalid("description.accelerator", "the accelerator the guest runs under is wanted");
  }
  return {
    spec: fromWireSpec(description.spec),
    accelerator,
    cpuProperties: description.cpuProperties,
    qemuVersion: description.qemuVersion,
    paused: description.paused,
    sourceAgentId,
    sourceHostId,
    transport,
    network,
    caller,
  };
}

type Finder = (candidate: Candidate, host: AdmissionHost, arrivals: Arrivals) => Promise<Blocker[]>;

/** What admission asks of the host, beside what arrivals need. */
export interface AdmissionHost extends Omit<Host, "settled"> {
  readonly machineTypes: ReadonlySet<string>;
  /** Version of the QEMU that receives guests here, e.g. "7.2.22". */
  readonly qemuVersion: string;
  /** Whether KVM runs guests here; a "no" that is old is tried again. */
  kvmNow(): Promise<{ readonly works: boolean; readonly reason: string }>;
  /** What a CPU model means here, as QEMU expands it. */
  cpuProperties(spec: GuestSpec, accelerator: "kvm" | "tcg"): Promise<Record<string, string>>;
}

/** Everything that stands in the way of this guest here; empty if it may come. */
export async function findBlockers(
  candidate: Candidate,
  host: AdmissionHost,
  arrivals: Arrivals,
): Promise<Blocker[]> {
  const found = await Promise.all(FINDERS.map((find) => find(candidate, host, arrivals)));
  return found.flat();
}

/** What admission may say no to because of others: looked at again, alone, before a guest is accepted. */
export async function findFull(
  { spec, caller }: Candidate,
  { config, store }: AdmissionHost,
  arrivals: Arrivals,
): Promise<Blocker[]> {
  const { arrivalsMax, arrivalsPerCallerMax, guestsMax, endingsMax } = config.limits;
  const living = await store.guestCount();
  const free = await memoryFreeBytes(config, arrivals);
  const wanted = spec.memoryBytes + QEMU_OVERHEAD_BYTES;
  const underWay = arrivals.underWay(); // the last thing looked at: nobody comes in between
  const theirs = underWay.filter((each) => each.caller === caller).length;
  return [
    wanted <= free
      ? undefined
      : blocker(
          "MEMORY_SHORT",
          `${wanted} bytes`,
          `the guest wants ${wanted} bytes and ${Math.max(0, free)} are free here`,
        ),
    underWay.length < arrivalsMax
      ? undefined
      : blocker(
          "NO_SLOT",
          "arrivals_max",
          `as many guests as this host takes are arriving (${arrivalsMax})`,
        ),
    theirs < arrivalsPerCallerMax
      ? undefined
      : blocker(
          "NO_SLOT",
          "arrivals_per_caller_max",
          `${caller} has as many guests arriving as one caller may have (${arrivalsPerCallerMax})`,
        ),
    living + underWay.length < guestsMax
      ? undefined
      : blocker(
          "NO_SLOT",
          "guests_max",
          `as many guests as this host takes live here or are arriving (${guestsMax})`,
        ),
    arrivals.endedCount < endingsMax
      ? undefined
      : blocker(
          "NO_SLOT",
          "endings_max",
          `as many ended migrations as are remembered (${endingsMax}) wait to be forgotten`,
        ),
  ].filter((each) => each !== undefined);
}

/** The limits that blockers name, for the metric. */
export function limitsIn(blockers: readonly Blocker[]): string[] {
  return blockers.flatMap(({ reason, subject }) => {
    if (reason === "NO_SLOT") return [subject];
    if (reason === "NO_PORT") return ["ports"];
    return reason === "MEMORY_SHORT" ? ["memory_reserve_bytes"] : [];
  });
}

const FINDERS: readonly Finder[] = [
  async ({ sourceHostId }, { config }) =>
    sourceHostId === config.hostId
      ? [blocker("SAME_HOST", sourceHostId, "the guest is on this host already")]
      : [],

  async ({ spec }, { store, config }, arrivals) => {
    if (await store.guestExists(spec.guestId)) {
      return [
        blocker(
          "GUEST_RESIDENT_HERE",
          spec.guestId,
          `a guest of that name lives on ${config.hostId}`,
        ),
      ];
    }
    const other = arrivals.ofGuest(spec.guestId);
    return other === undefined ? [] : [arrivesAlready(spec.guestId, other.migrationId)];
  },

  async ({ spec }, host) =>
    host.machineTypes.has(spec.machineType)
      ? []
      : [
          blocker(
            "MACHINE_TYPE_UNKNOWN",
            spec.machineType,
            "this host's QEMU does not know that machine type: upgrade its QEMU or choose another host",
          ),
        ],

  async ({ accelerator }, host) => {
    if (accelerator !== "kvm") return [];
    const { works, reason } = await host.kvmNow();
    if (works) return [];
    return [blocker("ACCELERATOR_MISSING", "kvm", `KVM does not work on this host: ${reason}`)];
  },

  async ({ spec, accelerator, cpuProperties }, host) => {
    if (!host.machineTypes.has(spec.machineType)) return []; // QEMU cannot be asked
    if (accelerator === "kvm" && !(await host.kvmNow()).works) return [];
    try {
      const here = await host.cpuProperties(spec, accelerator);
      return compareCpu(cpuProperties, here).map(({ feature, source, destination }) =>
        blocker(
          "CPU_INCOMPATIBLE",
          feature,
          `CPU model ${spec.cpuModel} has ${feature}=${source} on the source and ${destination} here`,
        ),
      );
    } catch (error) {
      if (isShort(error)) throw error; // QEMU could not be asked, which says nothing of the model
      const text = error instanceof Error ? error.message : String(error);
      return [blocker("CPU_INCOMPATIBLE", spec.cpuModel, `QEMU cannot expand that model: ${text}`)];
    }
  },

  (candidate, host, arrivals) => findFull(candidate, host, arrivals),

  async (_candidate, { ports }) =>
    ports.free().length > 0
      ? []
      : [
          blocker(
            "NO_PORT",
            `${ports.first}-${ports.last}`,
            "every port for incoming migrations is in use",
          ),
        ],

  async ({ network }, { config }) => {
    const place = placeFor(network, config.migration);
    return "reason" in place
      ? [blocker(place.reason, network || "default", place.description)]
      : [];
  },

  async ({ transport }, { config }) =>
    transport === "direct_plain" && !config.migration.allowPlain
      ? [
          blocker(
            "TRANSPORT_FORBIDDEN",
            transport,
            "this host takes no unencrypted migration (migration.allow_plain)",
          ),
        ]
      : [],

  async ({ spec }, { config }) =>
    (await checkPaths(spec, config.qemu.allowedPaths)).map((problem) =>
      blocker(problem.reason, problem.path, problem.description),
    ),
];

/** Memory that arriving guests may still claim, in bytes; negative: more is claimed than there is. */
export async function memoryFreeBytes(config: Host["config"], arrivals: Arrivals): Promise<number> {
  const claimed = arrivals
    .underWay()
    .reduce((sum, { record }) => sum + record.guest.spec.memoryBytes + QEMU_OVERHEAD_BYTES, 0);
  return (await memoryAvailableBytes()) - config.limits.memoryReserveBytes - claimed;
}

/** Memory the kernel says could still be had without swapping (MemAvailable), in bytes. */
async function memoryAvailableBytes(): Promise<number> {
  const text = await readFile("/proc/meminfo", "utf8");
  const line = /^MemAvailable:\s+(\d+) kB$/m.exec(text);
  if (line?.[1] === undefined) throw new Error("/proc/meminfo has no MemAvailable");
  return Number(line[1]) * 1024;
}

function blocker(reason: string, subject: string, description: string): Blocker {
  return { reason, subject, description };
}

export function arrivesAlready(guestId: string, migrationId: string): Blocker {
  return blocker(
    "GUEST_RESIDENT_HERE",
    guestId,
    `it is arriving already, in migration ${migrationId}`,
  );
}

/** The one error that fits what stands in the way best; every blocker travels in its details. */
export function refusal(blockers: readonly Blocker[]): Fault {
  const kinds = new Set(blockers.map((each) => each.reason));
  const text = blockers.map((each) => `${each.reason}: ${each.description}`).join("; ");
  const details = { blockers: [...blockers] };
  if (kinds.has("GUEST_RESIDENT_HERE")) return new Fault("GUEST_RESIDENT_HERE", text, details);
  if (kinds.has("SAME_HOST")) return new Fault("SAME_HOST", text, details);
  if (kinds.size === 1 && kinds.has("NO_SLOT")) return new Fault("NO_SLOT", text, details);
  if (kinds.size === 1 && kinds.has("NO_PORT")) return new Fault("NO_PORT", text, details);
  if (kinds.size === 1 && kinds.has("MEMORY_SHORT")) return new Fault("NO_MEMORY", text, details);
  return new Fault("HOST_UNFIT", text, details);
}
