/*
 * A guest's specification, from a file (YAML or JSON) and flags. Flags win. Names in the file are
 * those of GuestSpec in the contract, with `memory` ("256M") beside memory_bytes, and words for enums.
 */
import { Accelerator, DiskFormat, GuestSpec, type GuestSpec as Spec } from "@ferry/contract";
import { InvalidArgumentError } from "commander";
import { z } from "zod";
import { Failure } from "./failure.js";
import { messageOf, readYaml } from "./hosts-file.js";
import { parseBytes } from "./units.js";

const absolute = z.string().startsWith("/", "an absolute path is wanted, as the host has it");
const memory = z.string().transform((text, context) => {
  try {
    return parseBytes(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: error instanceof Error ? error.message : "" });
    return z.NEVER;
  }
});

const schema = z
  .strictObject({
    format_version: z.literal(1).optional(),
    guest_id: z.string().min(1, "a name is wanted"),
    machine_type: z.string().default(""),
    cpu_model: z.string().default(""),
    vcpus: z.int().min(1).max(255).default(1),
    memory: memory.optional(),
    memory_bytes: z.int().min(1).optional(),
    disks: z
      .array(
        z.strictObject({
          disk_id: z.string(),
          path: absolute,
          format: z.enum(["raw", "qcow2"], "raw or qcow2 is wanted: a format is never guessed"),
          read_only: z.boolean().default(false),
        }),
      )
      .default([]),
    nics: z
      .array(
        z.strictObject({ nic_id: z.string(), mac: z.string(), tap_name: z.string().default("") }),
      )
      .default([]),
    kernel: z
      .strictObject({
        path: absolute,
        initrd_path: absolute.optional(),
        command_line: z.string().default(""),
      })
      .optional(),
    firmware: z.strictObject({ path: absolute }).optional(),
    accelerator: z.enum(["auto", "kvm", "tcg"]).default("auto"),
  })
  .refine(
    (spec) => (spec.memory === undefined) !== (spec.memory_bytes === undefined),
    'memory is wanted, e.g. "256M", once',
  )
  .refine((spec) => spec.kernel === undefined || spec.firmware === undefined, {
    message: "kernel or firmware, not both",
  });

/** What flags may say; undefined: the file's word stands. */
export interface SpecFlags {
  readonly name?: string;
  readonly memory?: number;
  readonly vcpus?: number;
  readonly machine?: string;
  readonly cpu?: string;
  readonly accel?: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly firmware?: string;
  readonly disk?: readonly DiskFlag[];
  readonly nic?: readonly NicFlag[];
}

export interface DiskFlag {
  readonly disk_id: string;
  readonly path: string;
  readonly format: string;
  readonly read_only: boolean;
}

export interface NicFlag {
  readonly nic_id: string;
  readonly mac: string;
  readonly tap_name: string;
}

export function readSpec(file: string | undefined, flags: SpecFlags): Spec {
  const body = file === undefined ? {} : readYaml(file);
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new Failure(
      `${file} holds no specification`,
      "It must be an object: guest_id, memory, …",
    );
  }
  const parsed = schema.safeParse({ ...body, ...fromFlags(flags, body) });
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `\n  ${issue.path.map(String).join(".") || "the guest"}: ${messageOf(issue)}`,
    );
    throw new Failure(
      `the guest's specification is not complete, or wrong:${problems.join("")}`,
      "Mend the file or the flags; `ferry start --help` shows both.",
    );
  }
  return toMessage(parsed.data);
}

function fromFlags(flags: SpecFlags, body: object): object {
  const said: Record<string, unknown> = {};
  const set = (name: string, value: unknown) => {
    if (value !== undefined) said[name] = value;
  };
  set("guest_id", flags.name);
  if (flags.memory !== undefined) {
    said.memory_bytes = flags.memory;
    said.memory = undefined;
  }
  set("vcpus", flags.vcpus);
  set("machine_type", flags.machine);
  set("cpu_model", flags.cpu);
  set("accelerator", flags.accel);
  set("disks", flags.disk);
  set("nics", flags.nic);
  set("firmware", flags.firmware === undefined ? undefined : { path: flags.firmware });
  const { kernel, initrd, append } = flags;
  if (kernel !== undefined || initrd !== undefined || append !== undefined) {
    const old = "kernel" in body && typeof body.kernel === "object" ? body.kernel : {};
    said.kernel = {
      ...old,
      ...(kernel === undefined ? {} : { path: kernel }),
      ...(initrd === undefined ? {} : { initrd_path: initrd }),
      ...(append === undefined ? {} : { command_line: append }),
    };
  }
  return said;
}

const ACCELERATORS = {
  auto: Accelerator.UNSPECIFIED,
  kvm: Accelerator.KVM,
  tcg: Accelerator.TCG,
} as const;

function toMessage(spec: z.infer<typeof schema>): Spec {
  return GuestSpec.fromPartial({
    formatVersion: 1,
    guestId: spec.guest_id,
    machineType: spec.machine_type,
    cpuModel: spec.cpu_model,
    vcpus: spec.vcpus,
    memoryBytes: BigInt(spec.memory ?? spec.memory_bytes ?? 0),
    disks: spec.disks.map((disk) => ({
      diskId: disk.disk_id,
      path: disk.path,
      format: disk.format === "raw" ? DiskFormat.RAW : DiskFormat.QCOW2,
      readOnly: disk.read_only,
    })),
    nics: spec.nics.map((nic) => ({ nicId: nic.nic_id, mac: nic.mac, tapName: nic.tap_name })),
    ...bootOf(spec),
    accelerator: ACCELERATORS[spec.accelerator],
  });
}

function bootOf({ kernel, firmware }: z.infer<typeof schema>): Pick<Spec, "boot"> | object {
  if (kernel !== undefined) {
    const { path, initrd_path = "", command_line } = kernel;
    return {
      boot: {
        $case: "kernel",
        value: { path, initrdPath: initrd_path, commandLine: command_line },
      },
    };
  }
  return firmware === undefined ? {} : { boot: { $case: "firmware", value: firmware } };
}

/** "/srv/ferry/vm1.qcow2,format=qcow2[,id=root][,ro]"; each use adds a disk. */
export function parseDisk(text: string, before: readonly DiskFlag[] = []): DiskFlag[] {
  const { first, named } = pieces(text, ["format", "id", "ro"]);
  const path = first ?? "";
  const format = named.get("format");
  if (!path.startsWith("/") || format === undefined) {
    throw new InvalidArgumentError('"/absolute/path,format=qcow2" is wanted');
  }
  const disk_id = named.get("id") ?? `disk${before.length}`;
  return [...before, { disk_id, path, format, read_only: named.has("ro") }];
}

/** "52:54:00:12:34:56[,tap=tap0][,id=net0]"; each use adds an interface. */
export function parseNic(text: string, before: readonly NicFlag[] = []): NicFlag[] {
  const { first, named } = pieces(text, ["tap", "id"]);
  const mac = first ?? "";
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac)) {
    throw new InvalidArgumentError('"52:54:00:12:34:56[,tap=tap0]" is wanted');
  }
  const nic_id = named.get("id") ?? `net${before.length}`;
  return [...before, { nic_id, mac, tap_name: named.get("tap") ?? "" }];
}

function pieces(text: string, names: readonly string[]) {
  const [first, ...rest] = text.split(",");
  const named = new Map<string, string>();
  for (const piece of rest) {
    const [name = "", value = ""] = piece.split("=", 2);
    if (!names.includes(name)) {
      throw new InvalidArgumentError(`"${name}" is not one of ${names.join(", ")}`);
    }
    named.set(name, value);
  }
  return { first, named };
}
