/* Says at once and in words what is wrong with the machine, before anything stranger does. */

/** Oldest Node.js an agent runs on: later parts of 20 are needed for what streams and timers do. */
const NODE_FIRST = { major: 20, minor: 11 } as const;

/** What the check looks at; a test brings its own. */
export interface Machine {
  readonly platform: string;
  /** As in `process.versions.node`, e.g. "20.11.0". */
  readonly node: string;
}

/** Throws unless an agent can run here. */
export function checkMachine(
  { platform, node }: Machine = { platform: process.platform, node: process.versions.node },
): void {
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const fits =
    major > NODE_FIRST.major || (major === NODE_FIRST.major && minor >= NODE_FIRST.minor);
  if (!fits) {
    throw new Error(
      `Node.js ${NODE_FIRST.major}.${NODE_FIRST.minor} or newer is needed, and this is ${node}: install a newer one`,
    );
  }
  if (platform !== "linux") {
    throw new Error(
      `an agent runs on Linux only (it reads /proc and runs QEMU under a POSIX keeper), and this is ${platform}`,
    );
  }
}
