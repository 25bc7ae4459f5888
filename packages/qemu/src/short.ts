/** What the system says of something that works once something else was given back: it tells nothing of what was asked. */
const SHORT: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE", "ENOMEM", "EAGAIN"]);

/** Whether this process had no descriptor, process or memory left for it. */
export function isShort(error: unknown): boolean {
  return error instanceof Error && "code" in error && SHORT.has(error.code);
}
