/** What the system says of a call that would work once something else was given back. */
export const SHORT = ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EAGAIN"] as const;

/** This process had no descriptor, process or memory left for it: that tells nothing of what was asked. */
export function isShort(error: unknown): error is NodeJS.ErrnoException {
  if (!(error instanceof Error) || !("code" in error)) return false;
  return SHORT.some((code) => code === error.code);
}
