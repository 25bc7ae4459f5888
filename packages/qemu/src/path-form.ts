/*
 * The form of a path that comes from outside. Paths reach QEMU as JSON or as an argument of their
 * own, so nothing in them can become another option. Still refused: commas, because QEMU's multiboot
 * loader (hw/i386/multiboot.c) takes an initrd for a list of files, and "/allowed/a,/etc/shadow"
 * would be read past every check of one path.
 */
import { posix } from "node:path";
import type { SpecProblem } from "./spec-form.js";

/** The kernel's PATH_MAX, less its closing NUL, in bytes. */
const PATH_BYTES_MAX = 4095;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Every problem with the form of a path: at most one, the first that was found. */
export function checkPath(path: string, field: string): SpecProblem[] {
  const description = problemOf(path);
  return description === undefined ? [] : [{ field, description }];
}

function problemOf(path: string): string | undefined {
  if (!path.startsWith("/")) return "an absolute path is wanted";
  if (CONTROL.test(path)) return "a path without control characters is wanted";
  if (path.includes(",")) return "a path without commas is wanted: QEMU gives them a meaning";
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) return `at most ${PATH_BYTES_MAX} bytes are taken`;
  if (posix.normalize(path) !== path || path.endsWith("/")) {
    return 'the plain path of a file is wanted, without "..", ".", "//" or a "/" at its end';
  }
  return undefined;
}
