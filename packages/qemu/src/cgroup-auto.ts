/*
 * Which cgroups guests are to be born in, when nobody has said: a folder of one name in every
 * hierarchy of the machine, beside the groups of containers and services and inside none of them.
 */
import { join } from "node:path";

/** The folder, in every hierarchy. */
const NAME = "ferry";
const HIERARCHIES = "/sys/fs/cgroup";

interface CgroupMount {
  readonly device: string;
  /** The folder of the hierarchy that is mounted, as this process's cgroup namespace names it. */
  readonly root: string;
  readonly path: string;
  readonly writable: boolean;
}

/**
 * A directory for every hierarchy that is mounted whole under /sys/fs/cgroup and may be written.
 * `mountinfo`: the text of /proc/self/mountinfo. A container sees its own cgroup as well, from inside;
 * that one is passed over if the machine's is mounted, too (deploy/kubernetes does so).
 */
export function cgroupsEverywhere(mountinfo: string): string[] {
  const best = new Map<string, CgroupMount>();
  for (const mount of mountinfo.split("\n").flatMap(readMount)) {
    const other = best.get(mount.device);
    if (mount.writable && rank(mount) > 0 && rank(mount) >= (other ? rank(other) : 0)) {
      best.set(mount.device, mount);
    }
  }
  // A later mount hides an earlier one at the same path.
  return [...new Set([...best.values()].map(({ path }) => join(path, NAME)))];
}

/** The machine's whole hierarchy is "/.." as seen from a cgroup namespace, and "/" outside of any. */
function rank({ root }: CgroupMount): 0 | 1 | 2 {
  if (root.startsWith("/..")) return 2;
  return root === "/" ? 1 : 0;
}

/** proc(5): id, parent, device, root, mount point, options, … - type, source, super options. */
function readMount(line: string): CgroupMount[] {
  const [fields = "", rest = ""] = line.split(" - ");
  const [, , device = "", root = "", path = "", options = ""] = fields.split(" ");
  if (!/^cgroup2? /.test(rest)) return [];
  if (path !== HIERARCHIES && !path.startsWith(`${HIERARCHIES}/`)) return [];
  return [{ device, root, path, writable: options.split(",").includes("rw") }];
}
