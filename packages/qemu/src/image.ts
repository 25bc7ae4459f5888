/*
 * Which other files a qcow2 image is made of. An image names its backing file itself, so whoever can
 * bring an image could have QEMU open any file of the host: those names are read here, as QEMU would
 * (docs/interop/qcow2.txt in its sources), and checked like the image itself.
 */
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";

/** A file that an image refers to. */
export interface ImagePart {
  readonly path: string;
  readonly format: "raw" | "qcow2";
}

/** The image refers to something no check of paths can judge. */
export class UnsafeImage extends Error {}

const MAGIC = 0x514649fb; // "QFI", 0xfb
/** The header and its extensions are looked for in this much, in bytes. QEMU writes a few hundred. */
const HEAD_BYTES = 64 * 1024;
/** QEMU's own limit on a backing file's name, in bytes. */
const NAME_BYTES_MAX = 1023;
const VERSION_2_HEADER_BYTES = 72;
const BACKING_FORMAT = 0xe2792aca;
const DATA_FILE_NAME = 0x44415441;
/** Bit of the incompatible features: guest data lives in another file. */
const HAS_DATA_FILE = 4n;

/** The files a qcow2 image refers to, one level deep. Throws UnsafeImage, or an error if it is none. */
export async function partsOf(path: string): Promise<ImagePart[]> {
  const file = await open(path, "r");
  try {
    const head = await read(file, 0, HEAD_BYTES);
    if (head.length < VERSION_2_HEADER_BYTES || head.readUInt32BE(0) !== MAGIC) {
      throw new Error("it is not a qcow2 image");
    }
    const extensions = readExtensions(head);
    return [...dataFile(head, extensions), ...(await backingFile(file, head, extensions, path))];
  } finally {
    await file.close();
  }
}

function dataFile(head: Buffer, extensions: Map<number, string>): ImagePart[] {
  if (versionOf(head) < 3 || (head.readBigUInt64BE(72) & HAS_DATA_FILE) === 0n) return [];
  const name = extensions.get(DATA_FILE_NAME) ?? "";
  // QEMU would look for a relative one in its own working directory.
  if (!name.startsWith("/")) {
    throw new UnsafeImage("it keeps its data in another file and does not name its absolute path");
  }
  return [{ path: name, format: "raw" }];
}

async function backingFile(
  file: FileHandle,
  head: Buffer,
  extensions: Map<number, string>,
  path: string,
): Promise<ImagePart[]> {
  const offset = backingNameOffset(head);
  const bytes = Math.min(head.readUInt32BE(16), NAME_BYTES_MAX);
  if (offset === 0 || bytes === 0) return [];
  const name = (await read(file, offset, bytes)).toString();
  const format = extensions.get(BACKING_FORMAT);
  if (format === "raw" || format === "qcow2") return [{ path: toPath(name, path), format }];
  throw new UnsafeImage(
    `its backing file ${name} has ${format === undefined ? "no format" : `format ${format}`}, and raw or qcow2 is wanted: ` +
      "set it with qemu-img rebase -u -F",
  );
}

function backingNameOffset(head: Buffer): number {
  return Number(head.readBigUInt64BE(8));
}

/**
 * Header extensions: type, length, data padded to eight bytes, until type 0. QEMU reads none behind
 * the backing file's name, nor behind the first cluster: one that it does not see must not count.
 */
function readExtensions(head: Buffer): Map<number, string> {
  const extensions = new Map<number, string>();
  let at = versionOf(head) < 3 ? VERSION_2_HEADER_BYTES : head.readUInt32BE(100);
  const end = Math.min(head.length, backingNameOffset(head) || 2 ** head.readUInt32BE(20));
  while (at + 8 <= end) {
    const type = head.readUInt32BE(at);
    const bytes = head.readUInt32BE(at + 4);
    if (type === 0) break;
    extensions.set(type, head.subarray(at + 8, at + 8 + bytes).toString());
    at += 8 + Math.ceil(bytes / 8) * 8;
  }
  return extensions;
}

function versionOf(head: Buffer): number {
  return head.readUInt32BE(4);
}

/**
 * A name is a path beside the image, unless it says otherwise: "json:{…}", "nbd://…", "file:…". It is left as it
 * is: behind a symbolic link ".." leads elsewhere than its text says, and QEMU goes where the kernel does.
 */
function toPath(name: string, imagePath: string): string {
  if (/^[^/]*:/.test(name))
    throw new UnsafeImage(`it refers to ${name}, and a plain path is wanted`);
  return name.startsWith("/") ? name : `${dirname(imagePath)}/${name}`;
}

async function read(file: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, offset);
  return buffer.subarray(0, bytesRead);
}
