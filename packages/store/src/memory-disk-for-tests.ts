/*
 * A disk for tests, on which a process can die and power can fail between any two steps. It keeps
 * two trees: what programs see now, and what a power loss would leave.
 */
import { basename, dirname } from "node:path";
import type { Disk, OpenDirectory } from "./disk.js";

interface File {
  readonly kind: "file";
  bytes: Buffer;
  modified: Date;
}

interface Directory {
  readonly kind: "directory";
  readonly now: Map<string, Node>;
  readonly durable: Map<string, Node>;
  modified: Date;
}

type Node = File | Directory;

/** A change of names that a power loss would still undo. */
interface Pending {
  readonly directories: readonly Directory[];
  readonly settle: () => void;
}

/** What is left when everything stops. */
export type Crash =
  /** The process died: all that was done is there. */
  | "process died"
  /** Power failed: a change of names is there if a directory it touched was synced afterwards. */
  | "power lost";

/** What a sync of a directory keeps: its own names, or (with a journal) all that was done before. */
export type Syncs = "one directory" | "the journal";

/** Thrown by every step after the last one that was to happen. */
export class Stopped extends Error {
  override readonly name = "Stopped";
}

export class MemoryDisk implements Disk {
  /** Changes made so far, refused ones included. */
  steps = 0;
  /** After this many changes nothing happens any more; a file being written is left half written. */
  stopAfter = Number.POSITIVE_INFINITY;
  /** Asked before each change; an errno code makes it fail. */
  refuse: (step: number, change: string) => string | undefined = () => undefined;
  #root = directory();
  #pending: Pending[] = [];

  constructor(readonly syncs: Syncs = "one directory") {}

  /** The disk as it is found after a crash. */
  after(crash: Crash): MemoryDisk {
    const found = new MemoryDisk(this.syncs);
    found.#root = copy(this.#root, crash === "process died" ? "now" : "durable");
    return found;
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#change("mkdir");
    let at = this.#root;
    for (const name of parts(path)) {
      const next = at.now.get(name) ?? directory();
      if (next.kind !== "directory") throw errno("ENOTDIR", "mkdir", path);
      if (!at.now.has(name)) this.#name(at, name, next);
      at = next;
    }
  }

  async writeFile(path: string, bytes: Buffer): Promise<void> {
    const stopped = this.steps === this.stopAfter;
    if (stopped) this.#create(path, bytes.subarray(0, bytes.length / 2));
    await this.#change("write");
    this.#create(path, bytes);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#change("rename");
    const [source, target] = [this.#directory(dirname(from)), this.#directory(dirname(to))];
    const [name, newName] = [basename(from), basename(to)];
    const node = source.now.get(name);
    if (node === undefined) throw errno("ENOENT", "rename", from);
    const there = target.now.get(newName);
    if (there?.kind === "directory" && there.now.size > 0) throw errno("ENOTEMPTY", "rename", to);
    source.now.delete(name);
    target.now.set(newName, node);
    this.#pending.push({
      directories: [source, target],
      settle: () => {
        if (source.durable.get(name) === node) source.durable.delete(name);
        target.durable.set(newName, node);
      },
    });
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#change("fsync");
    const synced = this.#directory(path);
    const kept: Pending[] = [];
    for (const pending of this.#pending) {
      if (this.syncs === "the journal" || pending.directories.includes(synced)) pending.settle();
      else kept.push(pending);
    }
    this.#pending = kept;
  }

  async openDirectory(path: string): Promise<OpenDirectory> {
    this.#look();
    return { sync: () => this.syncDirectory(path), close: async () => {} };
  }

  async touch(path: string, time: Date): Promise<void> {
    await this.#change("utimes");
    const node = this.#find(path);
    if (node === undefined) throw errno("ENOENT", "utimes", path);
    node.modified = time;
  }

  async remove(path: string): Promise<void> {
    await this.#change("rm");
    const parent = this.#find(dirname(path));
    const name = basename(path);
    if (parent?.kind !== "directory" || !parent.now.delete(name)) return;
    this.#pending.push({ directories: [parent], settle: () => parent.durable.delete(name) });
  }

  async readFile(path: string): Promise<Buffer | undefined> {
    this.#look();
    const node = this.#find(path);
    return node?.kind === "file" ? node.bytes : undefined;
  }

  async modified(path: string): Promise<Date | undefined> {
    this.#look();
    return this.#find(path)?.modified;
  }

  async names(path: string): Promise<string[]> {
    this.#look();
    const node = this.#find(path);
    return node?.kind === "directory" ? [...node.now.keys()].sort() : [];
  }

  /** Every path there is. */
  paths(): string[] {
    const walk = (at: Directory, path: string): string[] =>
      [...at.now].flatMap(([name, node]) => [
        `${path}/${name}`,
        ...(node.kind === "directory" ? walk(node, `${path}/${name}`) : []),
      ]);
    return walk(this.#root, "").sort();
  }

  async #change(change: string): Promise<void> {
    this.#look();
    const refused = this.refuse(this.steps, change);
    this.steps += 1;
    if (refused !== undefined) throw errno(refused, change, "");
  }

  #look(): void {
    if (this.steps >= this.stopAfter) throw new Stopped();
  }

  #create(path: string, bytes: Buffer): void {
    const parent = this.#directory(dirname(path));
    if (parent.now.has(basename(path))) throw errno("EEXIST", "open", path);
    this.#name(parent, basename(path), { kind: "file", bytes, modified: new Date() });
  }

  #name(parent: Directory, name: string, node: Node): void {
    parent.now.set(name, node);
    this.#pending.push({ directories: [parent], settle: () => parent.durable.set(name, node) });
  }

  #directory(path: string): Directory {
    const node = this.#find(path);
    if (node?.kind !== "directory") throw errno("ENOENT", "open", path);
    return node;
  }

  #find(path: string): Node | undefined {
    let at: Node | undefined = this.#root;
    for (const name of parts(path)) at = at?.kind === "directory" ? at.now.get(name) : undefined;
    return at;
  }
}

function directory(): Directory {
  return { kind: "directory", now: new Map(), durable: new Map(), modified: new Date() };
}

/** What is found on the disk is durable. */
function copy(from: Directory, tree: "now" | "durable"): Directory {
  const to = { ...directory(), modified: from.modified };
  for (const [name, node] of from[tree]) {
    const found = node.kind === "file" ? { ...node } : copy(node, tree);
    to.now.set(name, found);
    to.durable.set(name, found);
  }
  return to;
}

function parts(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}

function errno(code: string, syscall: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${syscall} ${path}`), { code, syscall, path });
}
