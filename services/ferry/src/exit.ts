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

export const EXIT_HELP = `Exit codes:
  0  done; a migrated guest landed
  1  an error, wrong usage included: nothing was done, or the message says what was
  3  returned: the guest did not move, it is its source's; of a drain, at least one did not
  4  perished: a person must decide, see the message
  5  pending: not decided yet, or nobody answered; ask again with \`ferry resolve\`
  6  blocked: \`ferry check\` found something in the way, or \`ferry drain --dry-run\` of at least one guest
  130  left by a second Ctrl-C, whatever was under way`;
