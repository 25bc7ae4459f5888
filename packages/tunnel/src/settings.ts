/*
 * What an agent tells a pump, and what the pump answers. Settings go down its standard input in one
 * line of JSON, because arguments and the environment are there for everybody to read; words come up
 * its standard output, one JSON line each. Both ends are this package, built together.
 */
import type { Security } from "./security.js";

interface Common {
  readonly migrationId: string;
  /** SECRET. The key `met` told, the tunnel's ticket. */
  readonly key: string;
  readonly security: Security;
}

/** The destination's side: waits for the other pump, then connects to a QEMU that listens. */
export interface AcceptSettings extends Common {
  readonly role: "accept";
  /** The first of `ports` that is free is taken. */
  readonly listen: { readonly host: string; readonly ports: readonly number[] };
  /** Unix socket on which QEMU waits (`migrate-incoming unix:`). */
  readonly connectPath: string;
}

/** The source's side: connects to the other pump, then waits for a QEMU that connects. */
export interface DialSettings extends Common {
  readonly role: "dial";
  /** Unix socket to make for QEMU (`migrate unix:`). */
  readonly listenPath: string;
  readonly address: { readonly host: string; readonly port: number };
}

export type Settings = AcceptSettings | DialSettings;

/** What a pump says to its agent. */
export type Word =
  | { readonly word: "ready"; readonly port: number }
  | { readonly word: "ended"; readonly reason: string };

/** A unix socket's path is held in 108 bytes, the last of them zero; a longer one would be cut short. */
const PATH_BYTES_MAX = 107;

/** What is wrong with the settings, in words for the operator, or undefined. */
export function flaw(settings: Settings): string | undefined {
  const path = settings.role === "accept" ? settings.connectPath : settings.listenPath;
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
    return `the socket's path is longer than ${PATH_BYTES_MAX} bytes, choose a shorter run directory: ${path}`;
  }
  if (settings.key === "") return "a tunnel without a key would let anybody in";
  if (settings.role === "accept" && settings.listen.ports.length === 0) {
    return "no port is left to listen on: wait for another migration to end, or widen the range";
  }
  return undefined;
}
