/*
 * Are the guest's files here, and may it have them? Symbolic links are followed first: a link in an
 * allowed directory that points out of it leads to a forbidden file.
 */
import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import type { GuestSpec } from "./spec.js";

export interface PathProblem {
  readonly reason:
    | "DISK_MISSING"
    | "DISK_FORBIDDEN"
    | "PATH_FORBIDDEN"
    | "KERNEL_MISSING"
    | "NIC_MISSING";
  /** The path as the specification names it; a tap device's name for NIC_MISSING. */
  readonly path: string;
  readonly description: string;
}

interface Wanted {
  readonly path: string;
  readonly what: string;
  readonly writable: boolean;
  readonly missing: "DISK_MISSING" | "KERNEL_MISSING";
  readonly forbidden: "DISK_FORBIDDEN" | "PATH_FORBIDDEN";
}

/**
 * Everything that is missing or forbidden; empty if the guest can have all it names.
 * `allowedPaths` are directories; an empty list allows every path.
 */
export async function checkPaths(
  spec: GuestSpec,
  allowedPaths: readonly string[],
): Promise<PathProblem[]> {
  const allowed = await withRealPaths(allowedPaths);
  const problems = await Promise.all([
    ...filesOf(spec).map((file) => checkFile(file, allowed)),
    ...spec.nics.map(({ tapName }) => checkTap(tapName)),
  ]);
  return problems.flat();
}

function filesOf({ disks, boot }: GuestSpec): Wanted[] {
  const files: Wanted[] = disks.map(({ path, readOnly }) => ({
    path,
    what: "disk image",
    writable: !readOnly,
    missing: "DISK_MISSING",
    forbidden: "DISK_FORBIDDEN",
  }));
  const other = (path: string, what: string): Wanted => ({
    path,
    what,
    writable: false,
    missing: "KERNEL_MISSING",
    forbidden: "PATH_FORBIDDEN",
  });
  if (boot.kind === "kernel") files.push(other(boot.path, "kernel"));
  if (boot.kind === "kernel" && boot.initrdPath !== "") {
    files.push(other(boot.initrdPath, "ramdisk"));
  }
  if (boot.kind === "firmware") files.push(other(boot.path, "firmware"));
  return files;
}

async function checkFile(file: Wanted, allowed: readonly string[]): Promise<PathProblem[]> {
  const { path, what } = file;
  const forbidden = (seen: string): PathProblem[] => [
    {
      reason: file.forbidden,
      path,
      description: `${what} ${seen} lies outside the directories this host allows (qemu.allowed_paths)`,
    },
  ];
  // Before it is looked for: whoever may not have a file need not learn whether it exists.
  if (!within(path, allowed)) return forbidden(path);
  try {
    const real = await realpath(path);
    if (!within(real, allowed)) return forbidden(`${path} (really ${real})`);
    const seen = await stat(real);
    if (!seen.isFile() && !(seen.isBlockDevice() && what === "disk image")) {
      throw new Error("it is neither a file nor a block device");
    }
    await access(real, file.writable ? constants.R_OK | constants.W_OK : constants.R_OK);
    return [];
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return [
      { reason: file.missing, path, description: `${what} ${path} cannot be used here: ${text}` },
    ];
  }
}

/** A tap device that is not there would be made by QEMU, connected to nothing. */
async function checkTap(tapName: string): Promise<PathProblem[]> {
  if (tapName === "") return [];
  try {
    await stat(join("/sys/class/net", tapName));
    return [];
  } catch {
    return [
      {
        reason: "NIC_MISSING",
        path: tapName,
        description: `there is no network device ${tapName} on this host: create the tap device`,
      },
    ];
  }
}

/** The directories by the names they were given and by their real ones. */
async function withRealPaths(directories: readonly string[]): Promise<string[]> {
  const real = await Promise.all(
    directories.map((each) => realpath(each).catch(() => each)), // not there: nothing lies in it
  );
  return [...new Set([...directories, ...real])];
}

function within(path: string, directories: readonly string[]): boolean {
  if (directories.length === 0) return true;
  return directories.some((each) => path.startsWith(each.endsWith(sep) ? each : each + sep));
}
