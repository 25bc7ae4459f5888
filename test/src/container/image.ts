/*
 * Ferry's container image for a test: built by the script that everybody uses, unpacked into a folder
 * as an engine does, and removed as an engine does. A second image, with another QEMU by its hash, is
 * made of the first for upgrades.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));
const NAME = "localhost/ferry:test";
const BUILD_MS = 900_000;
/** Where the image keeps its QEMU. */
export const BUNDLE = "/opt/ferry/qemu";

/** What these tests cannot do without; empty if everything is there. */
export function whyNoContainers(): string {
  if (process.getuid?.() !== 0) return "containers need root here";
  const missing = ["buildah", "runc", "mmdebstrap"].filter(
    (program) => spawnSync(program, ["--version"]).error !== undefined,
  );
  return missing.length === 0 ? "" : `missing: apt-get install ${missing.join(" ")}`;
}

export class Image {
  private constructor(readonly layer: string) {}

  /** Builds it from this repository as it is, in `dir` and nowhere else. */
  static build(dir: string): Image {
    const root = join(dir, "images");
    mkdirSync(root, { recursive: true });
    const env = { ...process.env, FERRY_IMAGE_ROOT: root };
    run("sh", [join(REPOSITORY, "deploy/image/build.sh"), NAME], env);
    const storage = ["--root", join(root, "storage"), "--runroot", join(root, "run")];
    const buildah = (...args: string[]) => run("buildah", [...storage, ...args]).trim();
    const container = buildah("from", NAME);
    const layer = join(dir, "image-1");
    run("cp", ["-a", buildah("mount", container), layer]);
    buildah("umount", container);
    buildah("rm", "--all");
    buildah("rmi", "--all", "--force");
    rmSync(root, { recursive: true, force: true });
    return new Image(layer);
  }

  /** Another image with the same files under names of its own, whose QEMU says that it is another one. */
  upgraded(layer: string, digest: string): Image {
    run("cp", ["-a", "--link", this.layer, layer]);
    const file = join(layer, BUNDLE, "digest");
    unlinkSync(file); // and not written through: it is the old image's, too
    writeFileSync(file, `${digest}\n`);
    return new Image(layer);
  }

  get digest(): string {
    return readFileSync(join(this.layer, BUNDLE, "digest"), "utf8").trim();
  }

  /** Mounts it for one container, which writes into nothing of it. */
  mount(dir: string): string {
    const path = (name: string) => join(dir, name);
    for (const each of ["rootfs", "upper", "work"]) mkdirSync(path(each), { recursive: true });
    const layers = `lowerdir=${this.layer},upperdir=${path("upper")},workdir=${path("work")}`;
    run("mount", ["-t", "overlay", "overlay", "-o", layers, path("rootfs")]);
    return path("rootfs");
  }

  /** As an engine that tidies up: not a name of it is left. */
  remove(): void {
    rmSync(this.layer, { recursive: true, force: true });
  }

  /** How many of Ferry's files in it may be written by anybody, and what does not belong there. */
  faults(): string[] {
    const dir = join(this.layer, "opt/ferry");
    const found = run("find", [
      dir,
      "-type",
      "f",
      "(",
      "-perm",
      "/0222",
      "-o",
      "-name",
      "*.test.js",
      ")",
    ]);
    const compilers = run("find", [dir, "-type", "d", "-path", "*/node_modules/typescript"]);
    return `${found}${compilers}`.split("\n").filter(Boolean).slice(0, 10);
  }
}

/** Runs a program to its end; its words are told if it fails. */
export function run(program: string, args: readonly string[], env = process.env): string {
  const done = spawnSync(program, args, {
    encoding: "utf8",
    timeout: BUILD_MS,
    maxBuffer: 64 * 1024 * 1024,
    env,
  });
  if (done.status === 0) return done.stdout;
  const words = done.error?.message ?? `${done.stdout}\n${done.stderr}`.trim().slice(-4_000);
  throw new Error(`${program} ${args.join(" ")}: ${words}`);
}
