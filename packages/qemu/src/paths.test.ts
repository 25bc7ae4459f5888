/*
 * Goal: a guest gets the files it names, all of them and no others. Method: real files, links and
 * images made by qemu-img, in directories of our own.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, open, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { checkPaths } from "./paths.js";
import type { GuestDisk, GuestSpec } from "./spec.js";
import { sampleDisk, sampleNic, sampleSpec } from "./spec-for-tests.js";
import { withoutDescriptors } from "./test-descriptors.js";

const run = promisify(execFile);
const qemuImg = (...args: string[]) => run("qemu-img", args);

/** A directory for images and one that is nobody's business, with a file in each. */
async function place(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), "ferry-paths-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const images = join(dir, "images");
  const secrets = join(dir, "secrets");
  await Promise.all([mkdir(images), mkdir(secrets), mkdir(`${images}-too`)]);
  const root = join(images, "root.raw");
  const secret = join(secrets, "secret");
  await Promise.all(
    [root, secret, join(`${images}-too`, "root.raw")].map((p) => writeFile(p, "x")),
  );
  return { dir, images, secrets, root, secret };
}

async function reasons(changes: Partial<GuestSpec>, allowed: readonly string[]): Promise<string[]> {
  const problems = await checkPaths(sampleSpec(changes), allowed);
  return problems.map(({ reason, path }) => `${reason} ${path}`);
}

const disk = (path: string, changes: Partial<GuestDisk> = {}): Partial<GuestSpec> => ({
  disks: [sampleDisk({ path, ...changes })],
});

test("a file in an allowed directory may be used; nothing allowed by name means everything", async (t) => {
  const { images, root, secret } = await place(t);
  assert.deepEqual(await reasons(disk(root), [images]), []);
  assert.deepEqual(await reasons(disk(root), [`${images}/`]), []);
  assert.deepEqual(await reasons(disk(secret), []), []);
});

test("a file outside is forbidden, whether it exists or not", async (t) => {
  const { images, secrets, secret } = await place(t);
  assert.deepEqual(await reasons(disk(secret), [images]), [`DISK_FORBIDDEN ${secret}`]);
  const nothing = join(secrets, "nothing");
  assert.deepEqual(await reasons(disk(nothing), [images]), [`DISK_FORBIDDEN ${nothing}`]);
});

test("a directory whose name only begins alike is outside", async (t) => {
  const { images } = await place(t);
  const path = join(`${images}-too`, "root.raw");
  assert.deepEqual(await reasons(disk(path), [images]), [`DISK_FORBIDDEN ${path}`]);
});

test("a link out of an allowed directory leads to a forbidden file", async (t) => {
  const { images, secret, secrets } = await place(t);
  const link = join(images, "link");
  await symlink(secret, link);
  assert.deepEqual(await reasons(disk(link), [images]), [`DISK_FORBIDDEN ${link}`]);
  const directory = join(images, "directory");
  await symlink(secrets, directory);
  const path = join(directory, "secret");
  assert.deepEqual(await reasons(disk(path), [images]), [`DISK_FORBIDDEN ${path}`]);
  assert.deepEqual(await reasons(disk(path), [images, secrets]), []);
});

test("an allowed directory that is a link itself allows what it leads to, by both names", async (t) => {
  const { dir, images, root } = await place(t);
  const alias = join(dir, "alias");
  await symlink(images, alias);
  assert.deepEqual(await reasons(disk(join(alias, "root.raw")), [alias]), []);
  assert.deepEqual(await reasons(disk(root), [alias]), []);
});

test("what is missing is told with its path, of whatever kind it is", async (t) => {
  const { images, root } = await place(t);
  const none = join(images, "none");
  assert.deepEqual(await reasons(disk(none), [images]), [`DISK_MISSING ${none}`]);
  assert.deepEqual(await reasons({ boot: { kind: "firmware", path: none } }, [images]), [
    `KERNEL_MISSING ${none}`,
  ]);
  const boot = { kind: "kernel", path: root, initrdPath: none, commandLine: "" } as const;
  assert.deepEqual(await reasons({ boot }, [images]), [`KERNEL_MISSING ${none}`]);
  assert.deepEqual(await reasons({ boot: { ...boot, initrdPath: "" } }, [images]), []);
});

test("a kernel and its ramdisk outside are forbidden", async (t) => {
  const { images, secret } = await place(t);
  const boot = { kind: "kernel", path: secret, initrdPath: secret, commandLine: "" } as const;
  assert.deepEqual(await reasons({ boot }, [images]), [
    `PATH_FORBIDDEN ${secret}`,
    `PATH_FORBIDDEN ${secret}`,
  ]);
});

test("a directory, a FIFO and a link in a circle are no disks", async (t) => {
  const { images } = await place(t);
  const fifo = join(images, "fifo");
  await run("mkfifo", [fifo]);
  const circle = join(images, "circle");
  await symlink(circle, circle);
  await mkdir(join(images, "inner"));
  for (const path of [fifo, circle, join(images, "inner")]) {
    assert.deepEqual(await reasons(disk(path), [images]), [`DISK_MISSING ${path}`]);
  }
});

test("a network device must be there", async () => {
  const here = sampleNic({ tapName: "lo" });
  const nowhere = sampleNic({ nicId: "b", tapName: "ferry-none" });
  assert.deepEqual(await reasons({ nics: [sampleNic()] }, []), []);
  assert.deepEqual(await reasons({ nics: [here, nowhere] }, []), ["NIC_MISSING ferry-none"]);
});

test("every problem is told, in words a person can act on", async () => {
  const problems = await checkPaths(
    sampleSpec({ ...disk("/nowhere/a"), nics: [sampleNic({ tapName: "ferry-none" })] }),
    [],
  );
  assert.deepEqual(
    problems.map(({ description }) => description),
    [
      "disk image /nowhere/a cannot be used here: ENOENT: no such file or directory, realpath '/nowhere/a'",
      "there is no network device ferry-none on this host: create the tap device",
    ],
  );
});

const qcow2 = { format: "qcow2" } as const;

test("images below an image are followed, relative names from where it lies", async (t) => {
  const { images } = await place(t);
  const base = join(images, "base.qcow2");
  const middle = join(images, "middle.qcow2");
  const top = join(images, "top.qcow2");
  await qemuImg("create", "-q", "-f", "qcow2", base, "1M");
  await qemuImg("create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", middle);
  await qemuImg(
    "create",
    "-q",
    "-f",
    "qcow2",
    "-o",
    "compat=0.10",
    "-b",
    middle,
    "-F",
    "qcow2",
    top,
  );
  assert.deepEqual(await reasons(disk(top, qcow2), [images]), []);
  await rm(base);
  assert.deepEqual(await reasons(disk(top, qcow2), [images]), [`DISK_MISSING ${base}`]);
});

test("an image cannot borrow a file its guest may not have, however deep", async (t) => {
  const { images, secret } = await place(t);
  await writeFile(secret, Buffer.alloc(1024 * 1024));
  const middle = join(images, "middle.qcow2");
  const top = join(images, "top.qcow2");
  await qemuImg("create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", middle);
  await qemuImg("create", "-q", "-f", "qcow2", "-b", middle, "-F", "qcow2", top);
  assert.deepEqual(await reasons(disk(top, qcow2), [images]), [`DISK_FORBIDDEN ${secret}`]);
  const problems = await checkPaths(sampleSpec(disk(top, qcow2)), [images]);
  assert.match(
    problems[0]?.description ?? "",
    /secret, on which .*middle.qcow2, on which disk image/,
  );
});

test("an image is not below what its words say, but below what QEMU would open", async (t) => {
  const { images, secrets } = await place(t);
  const inner = join(secrets, "inner");
  await mkdir(inner);
  await symlink(inner, join(images, "link")); // ".." behind it is secrets, and reads like images
  const [outside, decoy] = [join(secrets, "data.raw"), join(images, "data.raw")];
  for (const path of [outside, decoy]) await writeFile(path, Buffer.alloc(1024 * 1024));
  const top = join(images, "top.qcow2");
  await qemuImg("create", "-q", "-f", "qcow2", top, "1M");
  for (const name of ["link/../data.raw", `${images}/link/../data.raw`]) {
    await qemuImg("rebase", "-u", "-b", name, "-F", "raw", "-f", "qcow2", top);
    const opened = await qemuImg("info", "--backing-chain", top);
    assert.match(opened.stdout, /link\/\.\.\/data\.raw/);
    const [said] = await reasons(disk(top, qcow2), [images]);
    assert.equal(said, `DISK_FORBIDDEN ${images}/link/../data.raw`);
  }
  // Whoever may not have a file does not learn either whether it is there.
  for (const name of ["../secrets/data.raw", `${images}/../nothing`]) {
    await qemuImg("rebase", "-u", "-b", name, "-F", "raw", "-f", "qcow2", top);
    const [said] = await reasons(disk(top, qcow2), [images]);
    assert.match(said ?? "", /^DISK_FORBIDDEN /, name);
  }
  await qemuImg("rebase", "-u", "-b", "../images/data.raw", "-F", "raw", "-f", "qcow2", top);
  assert.deepEqual(await reasons(disk(top, qcow2), [images]), []);
});

test("an image whose data lie elsewhere is checked there", async (t) => {
  const { images, secrets } = await place(t);
  const top = join(images, "top.qcow2");
  const outside = join(secrets, "data.raw");
  await qemuImg("create", "-q", "-f", "qcow2", "-o", `data_file=${outside}`, top, "1M");
  assert.deepEqual(await reasons(disk(top, qcow2), [images]), [`DISK_FORBIDDEN ${outside}`]);
  assert.deepEqual(await reasons(disk(top, qcow2), [images, secrets]), []);
});

test("a backing file of a format we do not follow, or that is no plain path, is forbidden", async (t) => {
  const { images, root } = await place(t);
  await writeFile(root, Buffer.alloc(1024 * 1024));
  const top = join(images, "top.qcow2");
  await qemuImg("create", "-q", "-f", "qcow2", top, "1M");
  await qemuImg("rebase", "-u", "-b", root, "-F", "vmdk", "-f", "qcow2", top);
  assert.deepEqual(await reasons(disk(top, qcow2), [images]), [`DISK_FORBIDDEN ${top}`]);
  for (const name of ["nbd://127.0.0.1/x", 'json:{"driver":"null-co"}', `file:${root}`]) {
    await qemuImg("rebase", "-u", "-b", name, "-F", "raw", "-f", "qcow2", top);
    assert.deepEqual(await reasons(disk(top, qcow2), [images]), [`DISK_FORBIDDEN ${top}`], name);
  }
});

test("an image that lies on itself is forbidden", async (t) => {
  const { images } = await place(t);
  const top = join(images, "top.qcow2");
  await qemuImg("create", "-q", "-f", "qcow2", top, "1M");
  await qemuImg("rebase", "-u", "-b", top, "-F", "qcow2", "-f", "qcow2", top);
  assert.deepEqual(await reasons(disk(top, qcow2), [images]), [`DISK_FORBIDDEN ${top}`]);
});

test("a format that stands where QEMU does not look for it counts as none", async (t) => {
  const { images, root } = await place(t);
  const top = join(images, "top.qcow2");
  await qemuImg("create", "-q", "-f", "qcow2", "-b", root, "-F", "raw", "-u", top, "1M");
  const file = await open(top, "r+");
  const head = Buffer.alloc(104);
  await file.read(head, 0, head.length, 0);
  // The name moves to where the extensions begin, so that QEMU reads none of them.
  const name = Buffer.from(root);
  const at = head.readUInt32BE(100);
  const extension = Buffer.alloc(16);
  extension.writeUInt32BE(0xe2792aca, 0);
  extension.writeUInt32BE(3, 4);
  extension.write("raw", 8);
  head.writeBigUInt64BE(BigInt(at), 8);
  head.writeUInt32BE(name.length, 16);
  await file.write(head, 0, head.length, 0);
  await file.write(Buffer.concat([name, extension]), 0, name.length + extension.length, at);
  await file.close();
  assert.deepEqual(await reasons(disk(top, qcow2), [images]), [`DISK_FORBIDDEN ${top}`]);
});

test("what is called qcow2 and is not cannot be used", async (t) => {
  const { images, root } = await place(t);
  assert.deepEqual(await reasons(disk(root, qcow2), [images]), [`DISK_MISSING ${root}`]);
  await writeFile(root, Buffer.concat([Buffer.from("QFI\xfb", "latin1"), Buffer.alloc(4)]));
  assert.deepEqual(await reasons(disk(root, qcow2), [images]), [`DISK_MISSING ${root}`]);
});

test("an image for which no descriptor is left is not called missing", async (t) => {
  const { images } = await place(t);
  const path = join(images, "disk.qcow2");
  await qemuImg("create", "-q", "-f", "qcow2", path, "1M");
  const look = () => reasons(disk(path, qcow2), [images]);
  await withoutDescriptors(t, () => assert.rejects(look(), { code: "EMFILE" }));
  assert.deepEqual(await look(), []);
});
