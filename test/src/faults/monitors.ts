/*
 * A QEMU's monitor that is lost alone: QEMU and agent live on, and the connection between them does not.
 * QEMU's end of it is shut down from outside, through a copy of its descriptor (pidfd_getfd(2)), so that
 * both sides see the other hang up.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, renameSync } from "node:fs";
import { join } from "node:path";
import { type Fault, hostOf, NothingThere, type Scene } from "./fault.js";
import type { Role } from "./stage.js";

/** pidfd_open is 434 and pidfd_getfd 438 on every architecture that QEMU's hosts have. */
const SHUT_DOWN = `
  my ($pid, $fd) = @ARGV;
  my $process = syscall(434, $pid + 0, 0);
  die "pidfd_open: $!" if $process < 0;
  my $copy = syscall(438, $process, $fd + 0, 0);
  die "pidfd_getfd: $!" if $copy < 0;
  open(my $socket, "+<&=", $copy) or die "open: $!";
  shutdown($socket, 2) or die "shutdown: $!";
`;
/** A connected socket's state in /proc/PID/net/unix, where a listening one has 01. */
const CONNECTED = "03";

export function monitorLost(role: Role): Fault {
  return {
    words: `the ${role} agent's connection to QEMU's monitor breaks`,
    lasts: false,
    cuts: false,
    inject: (scene) => hangUp(role, scene),
    mend: () => {},
  };
}

/** Nobody can dial it again until it is mended. */
export function monitorGone(role: Role): Fault {
  let away: (() => void)[] = [];
  return {
    words: `the ${role} agent's connection to QEMU's monitor breaks, and its socket's file is gone`,
    lasts: true,
    cuts: false,
    inject: (scene) => {
      const path = monitorPath(role, scene);
      renameSync(path, `${path}.away`);
      away.push(() => {
        if (existsSync(`${path}.away`)) renameSync(`${path}.away`, path); // its QEMU may have gone
      });
      hangUp(role, scene);
    },
    mend: () => {
      for (const back of away) back();
      away = [];
    },
  };
}

/** Throws NothingThere. */
function monitorPath(role: Role, scene: Scene): string {
  const runDir = scene.witness.on(hostOf(role, scene).place.name)?.runDir ?? "";
  const path = join(runDir, `${role}.qmp`);
  if (!existsSync(path)) throw new NothingThere(`the ${role} agent's monitor`);
  return path;
}

/** QEMU's end of it hears no more, and is heard no more. Throws NothingThere. */
function hangUp(role: Role, scene: Scene): void {
  const qemu = scene.witness.on(hostOf(role, scene).place.name);
  const pid = qemu?.pids().qemu;
  const path = join(qemu?.runDir ?? "", `${role}.qmp`);
  const descriptor = pid === undefined ? undefined : connectionOf(pid, path);
  if (pid === undefined || descriptor === undefined) {
    throw new NothingThere(`the ${role} agent's connection to QEMU's monitor`);
  }
  const done = spawnSync("perl", ["-e", SHUT_DOWN, `${pid}`, descriptor], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`perl: ${done.error?.message ?? done.stderr}`);
}

/** The descriptor with which that process serves who dialled the socket `path`. Sockets keep the name they were given. */
function connectionOf(pid: number, path: string): string | undefined {
  const lines = readFileSync(`/proc/${pid}/net/unix`, "utf8").split("\n");
  const inodes = lines.flatMap((line) => {
    const [, , , , , state, inode, name] = line.trim().split(/\s+/); // proc_pid_net(5)
    return name === path && state === CONNECTED ? [`socket:[${inode}]`] : [];
  });
  return readdirSync(`/proc/${pid}/fd`).find((fd) => {
    try {
      return inodes.includes(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false; // it was closed meanwhile
    }
  });
}
