/* What the QEMU of this host can do, in its own words. */
import { asObject, asObjects } from "./json.js";
import { withScratchQemu } from "./scratch.js";

export interface QemuProbe {
  /** e.g. "7.2.22". */
  readonly version: string;
  /** Versioned types only: what an alias means changes with every version of QEMU. */
  readonly machineTypes: readonly string[];
  /** "q35" → "pc-q35-7.2". Without a prototype: names to look up come from outside. */
  readonly machineAliases: Readonly<Record<string, string>>;
  readonly migrationCapabilities: readonly string[];
}

/** The families whose buses and slots `commandLine` knows. */
const MACHINE_TYPE = /^pc-(q35|i440fx)-\d+(\.\d+)+$/;

/** Asks the QEMU at `binary`. Throws an error that says what to install if there is none. */
export async function probeQemu(binary: string): Promise<QemuProbe> {
  return withScratchQemu(binary, ["-machine", "none"], async (qmp) => {
    const [version, machines, capabilities] = await Promise.all([
      qmp.execute("query-version"),
      qmp.execute("query-machines"),
      qmp.execute("query-migrate-capabilities"),
    ]);
    const { major, minor, micro } = asObject(
      asObject(version, "query-version").qemu,
      "query-version",
    );
    const machineTypes: string[] = [];
    const machineAliases: Record<string, string> = Object.create(null);
    for (const { name, alias } of asObjects(machines, "query-machines")) {
      if (typeof name !== "string" || !MACHINE_TYPE.test(name)) continue;
      machineTypes.push(name);
      if (typeof alias === "string") machineAliases[alias] = name;
    }
    return {
      version: `${major}.${minor}.${micro}`,
      machineTypes: machineTypes.sort(),
      machineAliases,
      migrationCapabilities: asObjects(capabilities, "query-migrate-capabilities").map(
        ({ capability }) => String(capability),
      ),
    };
  });
}
