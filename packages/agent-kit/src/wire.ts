/*
 * Between the contract's messages and the agents' own types: the only place that knows both.
 * Whatever comes in is checked here for its form; what it means is for the caller to judge.
 */
import {
  Accelerator,
  DiskFormat,
  Fault,
  type GuestSpec as WireSpec,
  Transport as WireTransport,
  Verdict as WireVerdict,
} from "@ferry/contract";
import type { Verdict } from "@ferry/protocol";
import { checkSpec, type GuestSpec } from "@ferry/qemu";
import type { ArrivalRecord } from "./records.js";

export type Transport = ArrivalRecord["arrival"]["transport"];

/** The one format of GuestSpec there is. */
const SPEC_FORMAT = 1;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const NIL = "00000000-0000-0000-0000-000000000000";
const GUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The nil UUID is what a caller sends that forgot to make one: two such callers would be one migration. */
export function isMigrationId(text: string): boolean {
  return UUID.test(text) && text !== NIL;
}

/** A migration id in its one form, so that two spellings cannot be two migrations. */
export function checkMigrationId(text: string): string {
  if (isMigrationId(text)) return text.toLowerCase();
  throw invalid(
    "migration_id",
    text === NIL
      ? "a UUID of its own is wanted, not the nil one"
      : `a UUID is wanted, not ${quote(text)}`,
  );
}

export function checkGuestId(text: string): string {
  if (GUEST_ID.test(text)) return text;
  throw invalid(
    "guest_id",
    `1 to 64 characters of A-Z a-z 0-9 . _ - are wanted, beginning with a letter or a digit, not ${quote(text)}`,
  );
}

/** The agent knows no such migration. */
export function unknownMigration(migrationId: string, agentId: string): Fault {
  return new Fault(
    "MIGRATION_UNKNOWN",
    `no migration ${migrationId} is known to ${agentId}; that proves nothing about the guest`,
  );
}

/** Refuses new work once the agent is shutting down. */
export function checkServing(draining: boolean): void {
  if (draining) throw new Fault("DRAINING", "this agent is shutting down");
}

/** INVALID_REQUEST about one field. */
export function invalid(field: string, description: string): Fault {
  return new Fault("INVALID_REQUEST", `${field}: ${description}`, {
    fieldViolations: [{ field, description }],
  });
}

/** Hostile text is shown shortened and escaped. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

const ACCELERATORS: Record<GuestSpec["accelerator"], Accelerator> = {
  auto: Accelerator.UNSPECIFIED,
  kvm: Accelerator.KVM,
  tcg: Accelerator.TCG,
};

export function toWireAccelerator(accelerator: GuestSpec["accelerator"]): Accelerator {
  return ACCELERATORS[accelerator];
}

/** Unspecified means auto. `field` is its path in the request, for whoever sent another. */
export function fromWireAccelerator(
  accelerator: Accelerator,
  field: string,
): GuestSpec["accelerator"] {
  switch (accelerator) {
    case Accelerator.UNSPECIFIED:
      return "auto";
    case Accelerator.KVM:
      return "kvm";
    case Accelerator.TCG:
      return "tcg";
    default:
      throw invalid(field, `kvm, tcg or unspecified is wanted, not ${accelerator}`);
  }
}

/** Reads a GuestSpec and refuses one that is malformed, naming every problem. */
export function fromWireSpec(wire: WireSpec | undefined): GuestSpec {
  if (wire === undefined) throw invalid("spec", "a guest's specification is wanted");
  if (wire.formatVersion > SPEC_FORMAT) {
    throw new Fault(
      "UNSUPPORTED",
      `spec.format_version is ${wire.formatVersion}; this agent knows up to ${SPEC_FORMAT}: upgrade it, or send the older format`,
    );
  }
  const spec: GuestSpec = {
    guestId: wire.guestId,
    machineType: wire.machineType || "q35",
    cpuModel: wire.cpuModel,
    vcpus: wire.vcpus || 1,
    memoryBytes: Number(wire.memoryBytes),
    disks: wire.disks.map((disk) => ({
      diskId: disk.diskId,
      path: disk.path,
      format: formatOf(disk.format),
      readOnly: disk.readOnly,
    })),
    nics: wire.nics.map((nic) => ({ nicId: nic.nicId, mac: nic.mac, tapName: nic.tapName })),
    boot: bootOf(wire),
    accelerator: fromWireAccelerator(wire.accelerator, "spec.accelerator"),
  };
  const problems = checkSpec(spec);
  if (problems.length > 0) {
    throw new Fault(
      "INVALID_REQUEST",
      `the guest's specification is malformed: ${problems.map((p) => `${p.field}: ${p.description}`).join("; ")}`,
      { fieldViolations: problems.map((p) => ({ ...p, field: `spec.${p.field}` })) },
    );
  }
  return spec;
}

function formatOf(format: DiskFormat): "raw" | "qcow2" {
  if (format === DiskFormat.RAW) return "raw";
  if (format === DiskFormat.QCOW2) return "qcow2";
  throw invalid("spec.disks.format", "raw or qcow2: guessing an image's format is a security hole");
}

function bootOf(wire: WireSpec): GuestSpec["boot"] {
  if (wire.boot?.$case === "kernel") return { kind: "kernel", ...wire.boot.value };
  if (wire.boot?.$case === "firmware") return { kind: "firmware", ...wire.boot.value };
  return { kind: "disk" };
}

export function toWireSpec(spec: GuestSpec): WireSpec {
  return {
    formatVersion: SPEC_FORMAT,
    guestId: spec.guestId,
    machineType: spec.machineType,
    cpuModel: spec.cpuModel,
    vcpus: spec.vcpus,
    memoryBytes: BigInt(spec.memoryBytes),
    disks: spec.disks.map((disk) => ({
      ...disk,
      format: disk.format === "raw" ? DiskFormat.RAW : DiskFormat.QCOW2,
    })),
    nics: [...spec.nics],
    boot: toWireBoot(spec.boot),
    accelerator: toWireAccelerator(spec.accelerator),
  };
}

function toWireBoot(boot: GuestSpec["boot"]): WireSpec["boot"] {
  if (boot.kind === "disk") return undefined;
  const { kind, ...value } = boot;
  if (kind === "kernel" && "commandLine" in value) return { $case: "kernel", value };
  return { $case: "firmware", value: { path: value.path } };
}

const TRANSPORTS: Record<Transport, WireTransport> = {
  direct: WireTransport.DIRECT,
  tunnel: WireTransport.TUNNEL,
  direct_plain: WireTransport.DIRECT_PLAIN,
};

export function toWireTransport(transport: Transport): WireTransport {
  return TRANSPORTS[transport];
}

/** Unspecified means direct, encrypted. */
export function fromWireTransport(transport: WireTransport): Transport {
  switch (transport) {
    case WireTransport.UNSPECIFIED:
    case WireTransport.DIRECT:
      return "direct";
    case WireTransport.TUNNEL:
      return "tunnel";
    case WireTransport.DIRECT_PLAIN:
      return "direct_plain";
    default:
      throw invalid("transport", "an unknown transport");
  }
}

const VERDICTS: Record<Verdict, WireVerdict> = {
  pending: WireVerdict.PENDING,
  landed: WireVerdict.LANDED,
  returned: WireVerdict.RETURNED,
  perished: WireVerdict.PERISHED,
};

export function toWireVerdict(verdict: Verdict): WireVerdict {
  return VERDICTS[verdict];
}

/** A verdict that says something; undefined for unspecified, which proves nothing. */
export function fromWireVerdict(verdict: WireVerdict): Verdict | undefined {
  for (const [name, wire] of Object.entries(VERDICTS)) {
    if (wire === verdict) return name as Verdict; // a key of VERDICTS
  }
  return undefined;
}
