/*
 * A real Linux guest that counts on its console (test/guests/init.sh). Debian's cloud kernel and its
 * static busybox are downloaded with apt-get and unpacked, never installed; the ramdisk is made here.
 * All of it is kept in .cache/guests, so that only the first use takes seconds.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { type RamdiskFile, ramdisk } from "./cpio.js";
import { BrokenGuest } from "./reading.js";

const run = promisify(execFile);
const cache = fileURLToPath(new URL("../../../.cache/guests/", import.meta.url));
const initPath = fileURLToPath(new URL("../../guests/init.sh", import.meta.url));
const META_PACKAGE = "linux-image-cloud-amd64";
/** What a virtio disk needs, in the order in which it must be loaded. */
const MODULES = ["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev"].concat([
  "virtio_pci",
  "virtio_blk",
]);

export interface LinuxGuest {
  readonly kernelPath: string;
  readonly initrdPath: string;
  readonly commandLine: string;
  /** What it needs, in bytes. */
  readonly memoryBytes: number;
}

/** The Linux guest, made if it is not there yet. Throws, and says why, where it cannot be made. */
export async function linuxGuest(): Promise<LinuxGuest> {
  const dir = join(cache, "linux");
  if (!existsSync(dir)) await make(dir);
  const initrdPath = join(dir, "initrd");
  const contents = await initrd(dir); // anew: init.sh may have changed
  const there = existsSync(initrdPath) ? await readFile(initrdPath) : undefined;
  if (there === undefined || !there.equals(contents)) await writeFile(initrdPath, contents);
  return {
    kernelPath: join(dir, "vmlinuz"),
    initrdPath,
    commandLine: "console=ttyS0 quiet loglevel=1 panic=-1",
    memoryBytes: 128 * 1024 * 1024,
  };
}

/** Downloads and unpacks what it is made of. The folder appears whole or not at all. */
async function make(dir: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, "making-"));
  try {
    const image = await imagePackage();
    await run("apt-get", ["-q", "download", image, "busybox-static"], { cwd: work });
    for (const name of await readdir(work)) {
      if (name.endsWith(".deb")) await run("dpkg", ["-x", join(work, name), join(work, "root")]);
    }
    const made = join(work, "linux");
    await mkdir(join(made, "modules"), { recursive: true });
    const files = await readdir(join(work, "root"), { recursive: true });
    const one = (wanted: (path: string) => boolean) => {
      const found = files.find(wanted);
      if (found === undefined) throw new Error(`${image} is not packed as expected`);
      return join(work, "root", found);
    };
    await rename(
      one((path) => path.startsWith("boot/vmlinuz-")),
      join(made, "vmlinuz"),
    );
    await rename(
      one((path) => path.endsWith("bin/busybox")),
      join(made, "busybox"),
    );
    for (const [index, module] of MODULES.entries()) {
      const from = one((path) => basename(path) === `${module}.ko`);
      await rename(from, join(made, "modules", `${index}-${module}.ko`));
    }
    await rename(made, dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error; // another test made it
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The kernel's package: the meta package only depends on it. */
async function imagePackage(): Promise<string> {
  const { stdout } = await run("apt-cache", ["depends", META_PACKAGE]).catch((cause: unknown) => {
    throw new Error(`apt knows no ${META_PACKAGE}: run apt-get update (Debian only)`, { cause });
  });
  const found = /Depends: (linux-image-\S+)/.exec(stdout)?.[1];
  if (found === undefined) throw new Error(`apt knows no ${META_PACKAGE}: run apt-get update`);
  return found;
}

async function initrd(dir: string): Promise<Buffer> {
  const modules = await readdir(join(dir, "modules"));
  const files: RamdiskFile[] = [
    { name: "bin" },
    { name: "bin/busybox", contents: await readFile(join(dir, "busybox")) },
    { name: "init", contents: await readFile(initPath) },
    { name: "modules" },
  ];
  for (const module of modules.sort()) {
    const contents = await readFile(join(dir, "modules", module));
    files.push({ name: `modules/${module}`, contents });
  }
  return gzipSync(ramdisk(files), { level: 1 });
}

/** What the Linux guest's consoles prove. */
export interface LinuxReading {
  /** The kernel's version; undefined before user space was reached. */
  readonly version: string | undefined;
  /** Last number counted; 0 before the first. */
  readonly count: number;
  /** Last number it says is on its disk; 0 if it wrote none. */
  readonly onDisk: number;
}

/** Reads joined consoles. Throws BrokenGuest if a number was skipped or repeated, or anything lost. */
export function readLinux(text: string): LinuxReading {
  let version: string | undefined;
  let count = 0;
  let onDisk = 0;
  for (const line of text.split("\n").slice(0, -1)) {
    const [word = "", value = ""] = line.trimEnd().split(" ", 2);
    if (word === "hello") {
      if (version !== undefined) throw new BrokenGuest(`it was reset after count ${count}`);
      version = value;
    } else if (word === "count") {
      if (Number(value) !== count + 1) throw new BrokenGuest(`"${line}" after count ${count}`);
      count += 1;
    } else if (word === "disk") onDisk = Number(value);
    else if (version !== undefined) throw new BrokenGuest(`after count ${count}: "${line}"`);
  }
  return { version, count, onDisk };
}
