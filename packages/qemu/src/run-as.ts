/*
 * QEMU as a user of its own: a guest that breaks out of it is then nobody in particular. QEMU opens
 * disks, monitors, the console and /dev/kvm while it is still root, and drops everything before
 * it hears a guest or the network. What it opens later is given to that user's group: keys to read,
 * the tunnel's socket to connect to. It may write in one directory alone, where it binds the socket that
 * a tunnel's pump dials; nothing that root writes is ever in there, so no link in it can lead root astray.
 */
import { chmod, chown, mkdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

/** Whom QEMU runs as. */
export interface QemuUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** That, for a QEMU of that version ("7.2.22"). */
export interface RunAs {
  readonly user: QemuUser;
  readonly version: string;
}

/** From this version on QEMU has `-run-with user=` and calls `-runas` deprecated. */
const RUN_WITH = { major: 9, minor: 1 };

/** Finds a user of this machine. Throws, saying what to do, if there is none, or if it is root. */
export async function findUser(name: string): Promise<QemuUser> {
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n");
  const [, , uid, gid] = lines.map((line) => line.split(":")).find(([each]) => each === name) ?? [];
  if (uid === undefined || gid === undefined) {
    throw new Error(
      `qemu.user: there is no user ${name} in /etc/passwd: useradd --system --no-create-home --groups kvm ${name}`,
    );
  }
  if (Number(uid) === 0) throw new Error(`qemu.user: ${name} is root, which gains nothing: null`);
  return { name, uid: Number(uid), gid: Number(gid) };
}

/** QEMU's arguments for it. */
export function runAsArguments({ user, version }: RunAs): string[] {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNew = major > RUN_WITH.major || (major === RUN_WITH.major && minor >= RUN_WITH.minor);
  return isNew ? ["-run-with", `user=${user.name}`] : ["-runas", user.name];
}

/** The directory in a run directory in which a guest's QEMU may write. */
export function qemuDirectory(runDir: string): string {
  return join(runDir, "own");
}

/** Makes it, and lets that user through to it. Without a user it is ours like the rest. */
export async function makeQemuDirectory(
  runDir: string,
  user: Pick<QemuUser, "uid" | "gid"> | undefined,
): Promise<void> {
  const dir = qemuDirectory(runDir);
  await mkdir(dir, { mode: 0o700 });
  if (user === undefined) return;
  await chown(dir, user.uid, user.gid);
  await chmod(runDir, 0o711);
}

/**
 * Lets a guest's QEMU, whoever it runs as, read a directory and the files in it, or connect to a socket.
 * Nothing changes where it runs as we do.
 */
export async function giveToQemu(
  runDir: string,
  path: string,
  to: "enter" | "read" | "connect",
): Promise<void> {
  const { uid, gid } = await stat(qemuDirectory(runDir)).catch(() => ({ uid: -1, gid: -1 })); // older
  if (uid === -1 || uid === process.getuid?.()) return;
  await chown(path, process.getuid?.() ?? 0, gid);
  await chmod(path, { enter: 0o750, read: 0o640, connect: 0o660 }[to]);
}
