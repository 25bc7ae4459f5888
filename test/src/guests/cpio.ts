/*
 * An initial ramdisk without the cpio program: the kernel's "newc" format is a header of hexadecimal
 * numbers, a name and the contents, each padded to four bytes (Linux, Documentation/driver-api/
 * early-userspace/buffer-format.rst).
 */

export interface RamdiskFile {
  /** Name without a leading slash; its folders must come before it. */
  readonly name: string;
  /** Undefined: a folder. */
  readonly contents?: Buffer;
}

const FOLDER_MODE = 0o040755;
const PROGRAM_MODE = 0o100755;

/** The archive, not compressed. */
export function ramdisk(files: readonly RamdiskFile[]): Buffer {
  const entries = files.map(({ name, contents }, index) =>
    entry(name, index + 1, contents ? PROGRAM_MODE : FOLDER_MODE, contents),
  );
  return Buffer.concat([...entries, entry("TRAILER!!!", 0, 0, undefined)]);
}

function entry(
  name: string,
  inode: number,
  mode: number,
  contents: Buffer = Buffer.alloc(0),
): Buffer {
  const links = 1;
  // inode, mode, uid, gid, links, mtime, size, device (4 numbers), length of the name, checksum
  const fields = [inode, mode, 0, 0, links, 0, contents.length, 0, 0, 0, 0, name.length + 1, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return Buffer.concat([padded(Buffer.from(`${header}${name}\0`)), padded(contents)]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
