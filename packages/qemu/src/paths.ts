/*
 * Are the guest's files here, and may it have them? Symbolic links are followed first: a link in an
 * allowed directory that points out of it leads to a forbidden file.
 */
import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { join, normalize, sep } from "node:path";
import { isShort } from "@ferry/qmp";
import { type ImagePart, partsOf, UnsafeImage } from "./image.js";
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
  /** For people: "disk image /srv/a.qcow2". */
  readonly what: string;
  readonly kind: "disk" | "boot";
  readonly writable: boolean;
}

interface WantedDisk extends Wanted {
  readonly format: "raw" | "qcow2";
  /** How many images lie on top of it. */
  readonly depth: number;
}

/** Images on top of each other; more is a loop, or a mistake. */
const CHAIN_MAX = 32;

/**
 * Everything that is missing or forbidden; empty if the guest can have all it names.
 * `allowedPaths` are directories; an empty list allows every path. Rejects if an image cannot be looked at now.
 */
export async function checkPaths(
  spec: GuestSpec,
  allowedPaths: readonly string[],
): Promise<PathProblem[]> {
  const allowed = await withRealPaths(allowedPaths);
  const problems = await Promise.all([
    ...spec.disks.map(({ path, format, readOnly }) => {
      const what = `disk image ${path}`;
      return checkDisk(
        { path, what, kind: "disk", writable: !readOnly, format, depth: 0 },
        allowed,
      );
    }),
    ...bootFiles(spec).map((file) => checkFile(file, allowed)),
    ...spec.nics.map(({ tapName }) => checkTap(tapName)),
  ]);
  return problems.flat();
}

function bootFiles({ boot }: GuestSpec): Wanted[] {
  const file = (path: string, what: string): Wanted[] =>
    path === "" ? [] : [{ path, what: `${what} ${path}`, kind: "boot", writable: false }];
  switch (boot.kind) {
    case "disk":
      return [];
    case "firmware":
      return file(boot.path, "firmware");
    case "kernel":
      return [...file(boot.path, "kernel"), ...file(boot.initrdPath, "ramdisk")];
  }
}

/** An image, and every image it lies on. */
async function checkDisk(disk: WantedDisk, allowed: readonly string[]): Promise<PathProblem[]> {
  const problems = await checkFile(disk, allowed);
  if (problems.length > 0 || disk.format === "raw") return problems;
  let parts: ImagePart[];
  try {
    if (disk.depth >= CHAIN_MAX) throw new UnsafeImage(`it lies on more than ${CHAIN_MAX} others`);
    parts = await partsOf(disk.path);
  } catch (error) {
    if (isShort(error)) throw error; // of descriptors, which says nothing of the image
    return [problem(disk, error instanceof UnsafeImage ? "FORBIDDEN" : "MISSING", text(error))];
  }
  const below = parts.map(({ path, format }) => {
    const what = `${path}, on which ${disk.what} lies,`;
    return checkDisk(
      { ...disk, path, format, what, writable: false, depth: disk.depth + 1 },
      allowed,
    );
  });
  return (await Promise.all(below)).flat();
}

async function checkFile(file: Wanted, allowed: readonly string[]): Promise<PathProblem[]> {
  const outside = "lies outside the directories this host allows (qemu.allowed_paths)";
  // Before it is looked for: whoever may not have a file need not learn whether it exists.
  if (!within(normalize(file.path), allowed)) return [problem(file, "FORBIDDEN", outside)];
  try {
    const real = await realpath(file.path);
    if (!within(real, allowed)) return [problem(file, "FORBIDDEN", `is ${real}, which ${outside}`)];
    const seen = await stat(real);
    if (!seen.isFile() && !(seen.isBlockDevice() && file.kind === "disk")) {
      throw new Error("neither a file nor a block device");
    }
    await access(real, file.writable ? constants.R_OK | constants.W_OK : constants.R_OK);
    return [];
  } catch (error) {
    return [problem(file, "MISSING", text(error))];
  }
}

function problem(file: Wanted, ill: "MISSING" | "FORBIDDEN", why: string): PathProblem {
  const reasons = {
    disk: { MISSING: "DISK_MISSING", FORBIDDEN: "DISK_FORBIDDEN" },
    boot: { MISSING: "KERNEL_MISSING", FORBIDDEN: "PATH_FORBIDDEN" },
  } as const;
  const description = `${file.what} ${ill === "MISSING" ? "cannot be used here: " : ""}${why}`;
  return { reason: reasons[file.kind][ill], path: file.path, description };
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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
