/*
 * What the two agents of a host write down. Both read the records under guests/: a landed arrival
 * becomes a resident guest by one rename, so a resident guest's record and an arrival's record
 * are one shape, and the rename needs no rewriting.
 */
import { destination, destinationSettled, source, sourceSettled } from "@ferry/protocol";
import type { Format } from "@ferry/store";
import { z } from "zod";

/** A process that cannot be mistaken for another one that got its pid later. */
const processIdentity = z.object({
  pid: z.number().int().positive(),
  startTime: z.string(),
  bootId: z.string(),
});

const disk = z.object({
  diskId: z.string(),
  path: z.string(),
  format: z.enum(["raw", "qcow2"]),
  readOnly: z.boolean(),
});

const nic = z.object({ nicId: z.string(), mac: z.string(), tapName: z.string() });

const boot = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("disk") }),
  z.object({
    kind: z.literal("kernel"),
    path: z.string(),
    initrdPath: z.string(),
    commandLine: z.string(),
  }),
  z.object({ kind: z.literal("firmware"), path: z.string() }),
]);

/** A CPU model has hundreds: z.record looks at each by itself, which took half of a guest's reading. */
const cpuProperties = z.custom<Record<string, string>>(isTexts, "texts under names are wanted");

/** A guest's specification, as `@ferry/qemu` knows it. */
export const guestSpecRecord = z.object({
  guestId: z.string(),
  machineType: z.string(),
  cpuModel: z.string(),
  vcpus: z.number().int().positive(),
  memoryBytes: z.number().int().positive(),
  disks: z.array(disk),
  nics: z.array(nic),
  boot,
  accelerator: z.enum(["auto", "kvm", "tcg"]),
});

/** A guest and the QEMU that runs it here. */
export const guestBody = z.object({
  spec: guestSpecRecord,
  /** Absolute path of the guest's run directory: monitors, keeper's FIFO and word, console. */
  runDir: z.string(),
  qemuVersion: z.string(),
  /** Absolute path of the QEMU that was launched; with a bundle its hash is in it. Absent in old records. */
  qemuBinary: z.string().optional(),
  accelerator: z.enum(["kvm", "tcg"]),
  /** QEMU's expansion of the CPU model. */
  cpuProperties,
  /** Absent until QEMU was launched. */
  processes: z.object({ keeper: processIdentity, qemu: processIdentity }).optional(),
  /** Paused by somebody's order; a migration keeps it so. */
  paused: z.boolean(),
  /** ISO 8601; when this host began to run it. */
  since: z.string(),
});
export type GuestBody = z.infer<typeof guestBody>;

/** How an arriving guest got here. */
const arrivalBody = z.object({
  migrationId: z.string(),
  /** Phase of the destination's table that was written last. */
  phase: z.string(),
  /** The random number every word over Meet names, in decimal (64 bits do not fit a JSON number). */
  arrival: z.string(),
  sourceAgentId: z.string(),
  transport: z.enum(["direct", "tunnel", "direct_plain"]),
  /** The network it was prepared on, as the caller named it. Absent: the default. */
  network: z.string().optional(),
  startedAt: z.string(),
  /** W3C's, as a caller or the source gave it, so that a restart does not lose the trace. */
  traceparent: z.string().optional(),
});
export type ArrivalBody = z.infer<typeof arrivalBody>;

/** guests/<guest-id>/record.json and arrivals/<migration-id>/record.json. */
export const guestRecord = z.object({ guest: guestBody, arrival: arrivalBody.optional() });
export type GuestRecord = z.infer<typeof guestRecord>;

/** Names the QEMU that runs a guest here, for ever; undefined before it was launched. */
export function residenceOf({ guest }: GuestRecord): string | undefined {
  if (guest.processes === undefined) return undefined;
  const { pid, startTime, bootId } = guest.processes.qemu;
  return `${pid} ${startTime} ${bootId}`;
}

/** arrivals/<migration-id>/record.json. */
export const arrivalRecord = z.object({ guest: guestBody, arrival: arrivalBody });
export type ArrivalRecord = z.infer<typeof arrivalRecord>;

/** departures/<migration-id>/record.json. */
export const departureRecord = z.object({
  migrationId: z.string(),
  guestId: z.string(),
  /** Phase of the source's table that was written last. */
  phase: z.string(),
  startedAt: z.string(),
  /** How to reach the destination, as Perform named it. */
  destinationAddress: z.string(),
  destinationAgentId: z.string(),
  /** The arrival this departure is bound to, in decimal. */
  arrival: z.string(),
  /** What QEMU said of its last migration before this one, so that it is never taken for this one's end. */
  before: z.string(),
  transport: z.enum(["direct", "tunnel", "direct_plain"]),
  bandwidthBytesPerSecond: z.number(),
  downtimeLimitMs: z.number(),
  /** ISO 8601; the migration is ended then unless custody was given away. Absent: never. */
  deadline: z.string().optional(),
  /** What the deadline was made of, so that a repeated Perform is known for one. Absent: no deadline, or an older agent. */
  timeoutMs: z.number().optional(),
  /** The guest was paused when the migration began: it is taken back paused. */
  paused: z.boolean(),
  reason: z.string(),
  /** Who began it, as its certificate says: a limit per caller holds over a restart. Absent: an older agent wrote it. */
  caller: z.string().optional(),
  /** A person stood in for the destination: who, and why. Written before the guest was touched for it. */
  overridden: z.string().optional(),
  /** That person gave the guest up: it is not to be taken back but to be killed. */
  givenUp: z.boolean().optional(),
  /** W3C's, as a caller gave it, so that a restart does not lose the trace. */
  traceparent: z.string().optional(),
});
export type DepartureRecord = z.infer<typeof departureRecord>;

/** What is kept of a migration that ended. */
export const endingRecord = z.object({
  migrationId: z.string(),
  guestId: z.string(),
  /** The phase it ended in: that is the verdict. */
  phase: z.string(),
  peerAgentId: z.string(),
  arrival: z.string(),
  transport: z.enum(["direct", "tunnel", "direct_plain"]),
  startedAt: z.string(),
  /** Added once it has ended, if the disk lets us: the phase alone decides. */
  cause: z.string().optional(),
  reason: z.string().optional(),
  destinationAddress: z.string().optional(),
  /** A person stood in for the other side: who, and why. */
  overridden: z.string().optional(),
  /** A person gave the guest up, and its copy at the source was destroyed. */
  givenUp: z.boolean().optional(),
  /** Of a guest that perished here: the source has said that a person decided. */
  decided: z.boolean().optional(),
  /** The QEMU that left, so that a guest which came back is never taken for the one that is gone. */
  residence: z.string().optional(),
  /** The other side has been told that it was overridden. */
  told: z.boolean().optional(),
  downtimeMs: z.number().optional(),
});
export type EndingRecord = z.infer<typeof endingRecord>;

function isTexts(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((each) => typeof each === "string");
}

/** A phase that only a later release can have written: nobody may act on what it cannot mean here. */
function later(table: object, phase: string | undefined): string | undefined {
  return phase === undefined || Object.hasOwn(table, phase) ? undefined : `phase "${phase}"`;
}

/** What a migration can end in, on either side. */
const ENDS = Object.fromEntries(
  [...keysOf(source).filter(sourceSettled), ...keysOf(destination).filter(destinationSettled)].map(
    (phase) => [phase, phase],
  ),
);

function keysOf<Key extends string>(table: { readonly [K in Key]: unknown }): Key[] {
  return Object.keys(table) as Key[]; // tables are literals of exactly these
}

/** What each kind of file is called on disk. A version is raised when an older agent would misread it. */
const GUEST = { name: "ferry.guest", version: 1 };
export const guestFormat: Format<GuestRecord> = {
  ...GUEST,
  schema: guestRecord,
  later: ({ arrival }) => later(destination, arrival?.phase),
};
/** The same files, where every one of them has an arrival. */
export const arrivalFormat: Format<ArrivalRecord> = {
  ...GUEST,
  schema: arrivalRecord,
  later: ({ arrival }) => later(destination, arrival.phase),
};
export const departureFormat: Format<DepartureRecord> = {
  name: "ferry.departure",
  version: 1,
  schema: departureRecord,
  later: ({ phase }) => later(source, phase),
};
export const endingFormat: Format<EndingRecord> = {
  name: "ferry.ending",
  version: 1,
  schema: endingRecord,
  later: ({ phase }) => later(ENDS, phase),
};
