/*
 * What a CPU model means. A name such as "host", or even "EPYC", is not the same processor on every
 * host: QEMU spells it out as some four hundred properties, and those are compared before a guest
 * comes. A guest that used an instruction here and does not find it there dies of it, later.
 */
import { type Qmp, QmpError } from "@ferry/qmp";
import { asObject, asObjects, type Json } from "./json.js";
import { withScratchQemu } from "./scratch.js";

export interface CpuDifference {
  readonly feature: string;
  readonly source: string;
  /** "absent" where this QEMU does not know the property. */
  readonly destination: string;
}

/** QEMU's expansion of a model with features, in the machine this QEMU runs. Values as text. */
export async function expandCpu(qmp: Qmp, cpuModel: string): Promise<Record<string, string>> {
  const [name = "", ...features] = cpuModel.split(",");
  const props = features.length === 0 ? {} : typed(features, await propertyTypes(qmp, name));
  const expanded = asObject(
    asObject(await expand(qmp, { name, props }), "query-cpu-model-expansion").model,
    "query-cpu-model-expansion",
  );
  return Object.fromEntries(
    Object.entries(asObject(expanded.props ?? {}, "query-cpu-model-expansion")).map(
      ([property, value]) => [property, String(value)],
    ),
  );
}

/** "full" tells every property; a QEMU that has only "static" tells those that migration may rely on. */
async function expand(qmp: Qmp, model: Json): Promise<unknown> {
  try {
    return await qmp.execute("query-cpu-model-expansion", { type: "full", model });
  } catch (error) {
    if (!(error instanceof QmpError)) throw error;
    return qmp.execute("query-cpu-model-expansion", { type: "static", model }).catch(() => {
      throw error; // the first refusal says what is wrong with the model
    });
  }
}

/** What a model means on this host: asked of a QEMU started for it. */
export async function expandCpuOnHost(
  binary: string,
  {
    machineType,
    cpuModel,
    accelerator,
  }: {
    readonly machineType: string;
    readonly cpuModel: string;
    readonly accelerator: "kvm" | "tcg";
  },
): Promise<Record<string, string>> {
  const args = ["-machine", `type=${machineType}`, "-accel", accelerator, "-m", "2M"];
  return withScratchQemu(binary, args, (qmp) => expandCpu(qmp, cpuModel));
}

/** On the command line every value is text; QMP wants each in its own type, which QEMU tells. */
function typed(features: readonly string[], types: ReadonlyMap<string, string>): Json {
  return Object.fromEntries(
    features.map((feature) => {
      const { name, value } = readFeature(feature);
      return [name, toType(value, types.get(name))];
    }),
  );
}

/** "+avx2" and "avx2" mean on, "-hle" off. QEMU takes "_" for "-" in names. */
function readFeature(feature: string): { name: string; value: string } {
  const [key = "", value] = feature.split("=");
  const name = key.replace(/^[+-]/, "").replaceAll("_", "-");
  return { name, value: value ?? (key.startsWith("-") ? "off" : "on") };
}

function toType(value: string, type: string | undefined): unknown {
  if (type === "bool") return ["on", "true", "yes"].includes(value);
  if (type !== undefined && /int/.test(type)) return Number(value);
  return value; // a string, or a property QEMU does not know: it will say so
}

async function propertyTypes(qmp: Qmp, name: string): Promise<Map<string, string>> {
  const typename = `${name}-x86_64-cpu`;
  const listed = await qmp.execute("qom-list-properties", { typename }).catch((cause) => {
    if (!(cause instanceof QmpError)) throw cause;
    throw new Error(`QEMU does not know the CPU model ${name}`, { cause });
  });
  return new Map(
    asObjects(listed, "qom-list-properties").map((each) => [String(each.name), String(each.type)]),
  );
}

/**
 * What of its processor a guest may have seen and could miss: what it is compared by, and a quarter of
 * its expansion. A feature that it does not have is none of it, since it never looked for that.
 */
export function neededOf(expansion: Readonly<Record<string, string>>): Record<string, string> {
  const needed = Object.entries(expansion).filter(
    ([feature, value]) => value !== "false" && !ignored(feature, expansion),
  );
  return Object.fromEntries(needed);
}

/**
 * Everything the guest has seen on the source and would miss on the destination: of its expansion there,
 * or of what is needed of that, and of the whole expansion here.
 */
export function compareCpu(
  source: Readonly<Record<string, string>>,
  destination: Readonly<Record<string, string>>,
): CpuDifference[] {
  return Object.entries(neededOf(source)).flatMap(([feature, value]) => {
    const there = Object.hasOwn(destination, feature) ? destination[feature] : undefined;
    if (value === there) return [];
    if (there === undefined && (MEANS_NOTHING.has(value) || feature.startsWith(OLD_WAYS)))
      return [];
    return [{ feature, source: value, destination: there ?? "absent" }];
  });
}

/** Values that say "not set", which a QEMU without that property does not contradict. */
const MEANS_NOTHING: ReadonlySet<string> = new Set(["", "0", "-1", "off"]);

/** A property that makes a newer QEMU behave as one that does not know it (measured: 10.0 and 7.2). */
const OLD_WAYS = "legacy-";

/** Where the object stands in QEMU, and how it came to be: nothing the guest can see of its processor. */
const BOOKKEEPING: ReadonlySet<string> = new Set([
  ...["apic-id", "core-id", "die-id", "module-id", "node-id", "socket-id", "thread-id"],
  ...["realized", "hotplugged", "hotpluggable", "start-powered-off", "memory", "parent-bus"],
  ...["check", "enforce", "migratable", "kvm", "fill-mtrr-mask", "full-cpuid-auto-level"],
  ...["host-phys-bits", "host-phys-bits-limit", "lbr-fmt"],
]);

/** "x-…" is QEMU's own, and comes and goes with its versions. "sse4_1" is "sse4-1" once more. */
function ignored(feature: string, all: Readonly<Record<string, string>>): boolean {
  if (BOOKKEEPING.has(feature) || feature.startsWith("x-")) return true;
  const plain = feature.replaceAll("_", "-");
  return plain !== feature && (BOOKKEEPING.has(plain) || Object.hasOwn(all, plain));
}
