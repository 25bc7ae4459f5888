/*
 * Where certificates go: one directory per host, to be copied to that host's /etc/ferry/tls as it
 * is, one for each caller. Keys are readable by their owner alone, and nothing that exists is
 * overwritten unless that was asked for: a CA that is lost takes every certificate with it.
 */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Authority, CallerRole } from "./authority.js";
import { Failure } from "./failure.js";

export interface HostNames {
  readonly hostId: string;
  /** DNS names and IP addresses. */
  readonly names: readonly string[];
}

interface PemFile {
  readonly path: string;
  readonly secret: boolean;
  readonly text: string;
}

/** Somebody who calls, and the directory of their certificate. */
export interface CallerNames {
  readonly role: CallerRole;
  readonly name: string;
  readonly folder: string;
}

export interface WriteOptions {
  readonly directory: string;
  readonly hosts: readonly HostNames[];
  readonly callers: readonly CallerNames[];
  readonly force: boolean;
}

/** Writes the authority and all certificates, or nothing if any of it exists; answers the paths. */
export async function writeCertificates(
  authority: Authority,
  options: WriteOptions,
): Promise<string[]> {
  const { directory, force } = options;
  const own: PemFile[] = [
    { path: join(directory, "ca.crt"), secret: false, text: authority.cert },
    { path: join(directory, "ca.key"), secret: true, text: authority.key },
  ];
  return writeAll([...own, ...(await bearers(authority, options))], {
    force,
    next: "Choose another directory, or overwrite with --force: certificates of the old CA are then worth nothing.",
  });
}

/** Writes certificates of an authority that is there already, or nothing if any of them exists. */
export async function writeMore(authority: Authority, options: WriteOptions): Promise<string[]> {
  return writeAll(await bearers(authority, options), {
    force: options.force,
    next: "Renew what is there with --force: running agents take it up by themselves.",
  });
}

async function bearers(
  authority: Authority,
  { directory, hosts, callers }: WriteOptions,
): Promise<PemFile[]> {
  const files: PemFile[] = [];
  const bearer = (folder: string, name: string, issued: { cert: string; key: string }) =>
    files.push(
      { path: join(directory, folder, "ca.crt"), secret: false, text: authority.cert },
      { path: join(directory, folder, `${name}.crt`), secret: false, text: issued.cert },
      { path: join(directory, folder, `${name}.key`), secret: true, text: issued.key },
    );
  for (const { hostId, names } of hosts)
    bearer(hostId, "host", await authority.host(hostId, names));
  for (const { role, name, folder } of callers)
    bearer(folder, role, await authority.caller(role, name));
  return files;
}

function writeAll(
  files: readonly PemFile[],
  { force, next }: { readonly force: boolean; readonly next: string },
): string[] {
  const paths = files.map(({ path }) => path);
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) {
    throw new Failure(
      `${twice} would be written twice, nothing was written`,
      "Name everybody once.",
    );
  }
  const there = files.filter(({ path }) => existsSync(path));
  if (there.length > 0 && !force) {
    throw new Failure(`${there[0]?.path} exists already, nothing was written`, next);
  }
  for (const file of files) write(file, force);
  return paths;
}

function write({ path, secret, text }: PemFile, force: boolean): void {
  const mode = secret ? 0o600 : 0o644;
  try {
    makeDirectory(dirname(path));
    writeFileSync(path, text, { mode, flag: force ? "w" : "wx" });
    chmodSync(path, mode); // an old file keeps its old mode, whatever was asked for
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure(
      `a certificate cannot be written: ${why}`,
      "Choose a directory you may write to.",
    );
  }
}

/** With all above it. Node.js' own `recursive` tries for ever where the kernel lets nothing be made, as in /proc. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}
