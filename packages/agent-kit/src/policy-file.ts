/*
 * An agent's policy, read from its file and read again when that changes. A file that cannot be used
 * is not taken: the last good policy stays in force, the log says so, and a gauge stays at 1 until
 * the file is mended. Calls that are open go on, tethers above all: a policy is about the next call.
 */
import { z } from "zod";
import type { Config } from "./config.js";
import type { Logger } from "./logs.js";
import type { Metrics } from "./metrics.js";
import { BUILT_IN, type Pattern, type Policy, parsePattern, ROLES, type Role } from "./policy.js";
import { parseYaml, readText } from "./yaml-file.js";

/** How often the file is looked at, in milliseconds. */
const LOOK_MS = 10_000;
const PATTERNS_MAX = 256;

function patterns(role: Role) {
  const pattern = z.string().transform((text, context): Pattern => {
    try {
      return parsePattern(text, role);
    } catch (error) {
      context.addIssue({ code: "custom", message: error instanceof Error ? error.message : "?" });
      return z.NEVER;
    }
  });
  return z.array(pattern).max(PATTERNS_MAX).default([]);
}

const schema = z.strictObject({
  roles: z
    .strictObject({
      controller: patterns("controller"),
      agent: patterns("agent"),
      viewer: patterns("viewer"),
      operator: patterns("operator"),
    })
    .refine(({ agent }) => agent.length > 0, {
      path: ["agent"],
      error: "without a pattern for agents no host could meet another: ferry://agent/{host}",
    }),
});

/** Reads a policy; `name` is what complaints call it. Throws a ConfigError. */
export function parsePolicy(text: string, name: string): Policy {
  const known = (path: readonly string[]) => (path.length === 0 ? ["roles"] : ROLES);
  const { roles } = parseYaml(text, { schema, name, known });
  return { source: name, patterns: roles };
}

/** Reads the file at `path`. Throws a ConfigError. */
export function loadPolicy(path: string): Policy {
  return parsePolicy(readText(path, "the policy"), path);
}

/** What is in force, and how to stop looking for what is new. */
export interface PolicyInForce {
  readonly current: Policy;
  stop(): void;
}

export interface PolicyFileOptions {
  readonly path: string;
  readonly log: Logger;
  /** Called whenever it turns out whether the file on disk is the one in force. */
  readonly inForce?: (isInForce: boolean) => void;
  readonly lookMs?: number;
}

/** The agent's policy: its file's, or what is built in. Throws if the file cannot be used now. */
export function policyOf(
  { policy }: Pick<Config, "policy">,
  { log, metrics }: { readonly log: Logger; readonly metrics: Pick<Metrics, "fileRefused"> },
): PolicyInForce {
  if (policy === undefined) return { current: BUILT_IN, stop: () => {} };
  return new PolicyFile({
    path: policy,
    log,
    inForce: (isInForce) => metrics.fileRefused.set({ file: "policy" }, isInForce ? 0 : 1),
  });
}

export class PolicyFile implements PolicyInForce {
  readonly #options: PolicyFileOptions;
  readonly #timer: NodeJS.Timeout;
  #current: Policy;
  /** The text in force, and the complaint that was made last. */
  #text: string;
  #complaint: string | undefined;

  constructor(options: PolicyFileOptions) {
    this.#options = options;
    this.#text = readText(options.path, "the policy");
    this.#current = parsePolicy(this.#text, options.path);
    this.#timer = setInterval(() => this.look(), options.lookMs ?? LOOK_MS);
    this.#timer.unref();
  }

  get current(): Policy {
    return this.#current;
  }

  /** Looks at the file now; also done every 10 s. */
  look(): void {
    const { path, log, inForce } = this.#options;
    try {
      const text = readText(path, "the policy");
      if (text !== this.#text) {
        this.#current = parsePolicy(text, path);
        this.#text = text;
        log.info({ policy: path }, "policy read again");
      }
      this.#complaint = undefined;
      inForce?.(true);
    } catch (error) {
      const complaint = error instanceof Error ? error.message : String(error);
      inForce?.(false);
      if (complaint === this.#complaint) return;
      this.#complaint = complaint;
      log.error({ err: error }, "the new policy cannot be used; the old one stays in force");
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
