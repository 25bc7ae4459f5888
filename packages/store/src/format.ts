/*
 * A file is two lines: what it is, with a checksum, and its body. The checksum is over the body's
 * very bytes, so a torn file (the old head on a new tail, zeros, half a line) is always found out;
 * the version stands outside the body, so a newer file is recognised before it is misread.
 */
import { createHash } from "node:crypto";
import type { ZodType } from "zod";
import { StoreCorrupt, StoreNewerFormat } from "./errors.js";

/** What one kind of file holds. */
export interface Format<Body> {
  readonly name: string;
  /** Raised when an older agent would misread the body. */
  readonly version: number;
  readonly schema: ZodType<Body>;
  /** What only a later release can have written in it, in words; undefined: nothing. */
  later?(body: Body): string | undefined;
}

interface Head {
  readonly format: string;
  readonly version: number;
  readonly sha256: string;
}

export function encode<Body>(format: Format<Body>, body: Body): Buffer {
  const line = JSON.stringify(body);
  const head: Head = { format: format.name, version: format.version, sha256: sha256(line) };
  return Buffer.from(`${JSON.stringify(head)}\n${line}\n`);
}

/** The body of a file, or why it is not to be believed. */
export function decode<Body>(format: Format<Body>, bytes: Buffer, path: string): Body {
  const [first = "", line = "", ...rest] = bytes.toString("utf8").split("\n");
  const head = readHead(first);
  if (head === undefined)
    throw new StoreCorrupt(path, "it does not begin as a file of Ferry's does");
  if (head.format !== format.name) {
    throw new StoreCorrupt(
      path,
      `it says it is a "${head.format}", and a "${format.name}" is wanted`,
    );
  }
  if (head.version > format.version) {
    const { version } = head;
    const why = `has format version ${version}, and this agent knows up to ${format.version}`;
    throw new StoreNewerFormat(path, why);
  }
  if (rest.length !== 1 || rest[0] !== "" || sha256(line) !== head.sha256) {
    throw new StoreCorrupt(path, "its checksum does not match: it was torn, or changed by hand");
  }
  const body = format.schema.safeParse(JSON.parse(line));
  if (body.success) {
    const later = format.later?.(body.data);
    if (later === undefined) return body.data;
    throw new StoreNewerFormat(path, `has ${later}, which this agent does not know`);
  }
  const [issue] = body.error.issues;
  throw new StoreCorrupt(path, `it is whole, but ${issue?.path.join(".")}: ${issue?.message}`, {
    cause: body.error,
  });
}

function readHead(line: string): Head | undefined {
  try {
    const head: unknown = JSON.parse(line);
    return isHead(head) ? head : undefined;
  } catch {
    return undefined;
  }
}

function isHead(value: unknown): value is Head {
  if (typeof value !== "object" || value === null) return false;
  const { format, version, sha256 } = value as Partial<Record<keyof Head, unknown>>; // checked below
  return typeof format === "string" && Number.isInteger(version) && typeof sha256 === "string";
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
