/* What can go wrong with what is written down, each with what a person does next. */

/** What a disk says when it cannot be written at all; anything else is about one name in it. */
export const REFUSALS = ["ENOSPC", "EDQUOT", "EROFS", "EIO", "EACCES", "EPERM"] as const;

/** Errors of the system that are told apart by what a person does about them. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: "free some space on its file system",
  EDQUOT: "raise its quota, or free some space",
  EROFS: "remount its file system writable; the kernel log says why it is read-only",
  EIO: "the disk fails: read the kernel log, and drain this host",
  EACCES: "give the agent's user the right to write there",
  EPERM: "give the agent's user the right to write there",
  EXDEV: "put the whole state directory on one mount",
};

/** The disk refused. Nothing was changed, or what was there before is still whole. */
export class StoreUnwritable extends Error {
  override readonly name = "StoreUnwritable";
  /** The system's word for it, e.g. "ENOSPC". */
  readonly code: string;

  constructor(
    readonly path: string,
    cause: NodeJS.ErrnoException,
  ) {
    const code = cause.code ?? "unknown";
    super(`cannot write ${path} (${code}): ${ADVICE[code] ?? cause.message}`, { cause });
    this.code = code;
  }
}

/** A file that is torn, changed, or not ours. It is left as it is, and nothing in it is believed. */
export class StoreCorrupt extends Error {
  override readonly name = "StoreCorrupt";

  constructor(
    readonly path: string,
    why: string,
    options?: ErrorOptions,
  ) {
    super(
      `${path} cannot be believed: ${why}. Do not restore it from a backup: find out where its guest ` +
        "runs, then move the file out of the state directory and start the agent again",
      options,
    );
  }
}

/** Written by a later version of Ferry. It is left as it is. */
export class StoreNewerFormat extends Error {
  override readonly name = "StoreNewerFormat";

  constructor(
    readonly path: string,
    why: string,
  ) {
    super(`${path} ${why}: run the newer agent again`);
  }
}

/** Something is there already under that name, and is never overwritten. */
export class StoreExists extends Error {
  override readonly name = "StoreExists";

  constructor(
    readonly path: string,
    what: string,
  ) {
    super(`${path} exists already: ${what}`);
  }
}

/** The state directory cannot be used by this agent at all. */
export class StoreRefused extends Error {
  override readonly name = "StoreRefused";
}

/** Runs one change of the disk; whatever the system has against it says which path it was about. */
export async function writing<Result>(
  path: string,
  change: () => Promise<Result>,
): Promise<Result> {
  try {
    return await change();
  } catch (error) {
    if (isErrno(error)) throw new StoreUnwritable(path, error);
    throw error;
  }
}

export function isErrno(error: unknown, ...codes: string[]): error is NodeJS.ErrnoException {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error)) return false;
  return codes.length === 0 || codes.includes(String(error.code));
}
