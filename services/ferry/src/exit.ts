/* What the command's exit codes mean, the same in every subcommand. */

export const EXIT = {
  ok: 0,
  error: 1,
  returned: 3,
  perished: 4,
  pending: 5,
  blocked: 6,
  interrupted: 130,
} as const;

/** A migration's verdict as an exit code. */
export const VERDICT_EXIT = {
  landed: EXIT.ok,
  returned: EXIT.returned,
  perished: EXIT.perished,
  pending: EXIT.pending,
} as const;

const MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "done; a migrated guest landed",
  error: "an error, wrong usage included: nothing was done, or the message says what was",
  returned:
    "returned: the guest did not move, it is its source's; of a drain, at least one did not",
  perished: "perished: a person must decide, see the message",
  pending: "pending: not decided yet, or nobody answered; ask again with `ferry resolve`",
  blocked:
    "blocked: `ferry check` found something in the way, or `ferry drain --dry-run` of at least one guest",
  interrupted: "left by the last Ctrl-C, whatever was under way",
};

/** For a command's help: the codes it may end with, and what else than usual some of them mean there. */
export function exitHelp(
  others: readonly (keyof typeof EXIT)[] = [],
  meanings: Partial<typeof MEANINGS> = {},
): string {
  const names = ["ok", "error", ...others] as const;
  const lines = names.map((name) => `  ${EXIT[name]}  ${meanings[name] ?? MEANINGS[name]}`);
  return ["Exit codes:", ...lines].join("\n");
}

/** Of all commands. */
export const EXIT_HELP = exitHelp(["returned", "perished", "pending", "blocked", "interrupted"]);

/** Of a command that does what it says or does not. */
export const PLAIN_EXIT_HELP = exitHelp([], { ok: "done" });
