/*
 * What a controller does with what it hears, one row each. docs/controller.md is drawn from this
 * list, decide.ts chooses among it, and a test can name every row by its id. A row says one thing:
 * "I made this call, and this is the last I know: so I do that."
 *
 * The rule behind all of them: an answer is believed and silence is not. Whatever went wrong, the
 * two agents settle it between themselves; a controller only has to ask until somebody says how.
 */

/** What the walk does next. */
export type Move =
  | "prepare" // step 2
  | "perform" // step 3
  | "land" // step 4: Finish(land)
  | "abandon" // step 4: Finish(abandon)
  | "confirm" // step 5
  | "abort" // Abort at the source; Finish(abandon) follows if anything may be prepared
  | "askBoth" // Finish(land) goes on being asked, and Confirm is asked beside it
  | "repeat" // the same call again, after a pause
  | "hold" // the same call again, for as long as it takes, with the tether held
  | "wait" // nothing: what is under way will say
  | "end" // it is over: tell the caller what became of it
  | "refuse"; // nothing was begun: tell the caller why

export interface Row {
  /** The call, or what else spoke: "the tether", "my own caller". */
  readonly call: string;
  /** What I last knew. */
  readonly knew: string;
  /** What I do next, as an order. */
  readonly next: string;
  readonly move: Move;
}

const ALONE =
  "The agents settle it by themselves; GetMigration on either end, or `ferry resolve`, tells when.";

export const ROWS = {
  "begin-ok": {
    call: "Begin",
    knew: "OK: the guest is leased to this migration and described.",
    next: "Prepare on the destination, with the description as it is. Repeat Begin before lease_ms is over while Prepare takes long.",
    move: "prepare",
  },
  "begin-again": {
    call: "Begin",
    knew: "A fault with RetryInfo (GUEST_BUSY, NO_SLOT, DRAINING, STARTING).",
    next: "Repeat Begin under the same id after that delay.",
    move: "repeat",
  },
  "begin-silence": {
    call: "Begin",
    knew: "No answer, or one that no agent gave.",
    next: "Repeat Begin under the same id: it is idempotent, and a lease nobody uses lapses.",
    move: "repeat",
  },
  "begin-over": {
    call: "Begin",
    knew: "MIGRATION_OVER: this id was used, and it has ended.",
    next: "Confirm under that id and act on the verdict; try again under a new id.",
    move: "confirm",
  },
  "begin-refused": {
    call: "Begin",
    knew: "Any other fault (GUEST_UNKNOWN, GUEST_UNFIT, ID_CONFLICT, WRONG_HOST, FORBIDDEN, …).",
    next: "Stop: nothing was begun. Do what the reason asks, then begin under a new id.",
    move: "refuse",
  },
  "begin-timeout": {
    call: "Begin",
    knew: "Still no success after my limit.",
    next: "Stop: nothing was begun, and a lease that was taken lapses by itself.",
    move: "refuse",
  },
  "prepare-accepted": {
    call: "Prepare",
    knew: "`accepted`: the guest was admitted, and its QEMU is being started.",
    next: "Hold the stream open; that is the tether. Perform on the source, with the agent_id that answered and peer_address, or the address dialled if that is empty: the agents meet while QEMU starts. Or wait for `prepared`.",
    move: "perform",
  },
  "prepare-ok": {
    call: "Prepare",
    knew: "`prepared`: the guest's QEMU listens.",
    next: "Perform on the source as above, if it was not called yet.",
    move: "perform",
  },
  "prepare-again": {
    call: "Prepare",
    knew: "A fault with RetryInfo before `prepared` (NO_SLOT, NO_MEMORY, NO_PORT, DRAINING, STARTING, …).",
    next: "Nothing was accepted: Prepare again under the same id after that delay, and keep the lease.",
    move: "repeat",
  },
  "prepare-unreachable": {
    call: "Prepare",
    knew: "No connection could be made, so nothing was sent.",
    next: "Abort at the source, to give the lease back. Check the destination, then begin under a new id.",
    move: "abort",
  },
  "prepare-silence": {
    call: "Prepare",
    knew: "The stream broke before `prepared`: it may have arrived or not.",
    next: "Never Prepare that id again. Abort at the source, Finish(abandon) on the destination, begin under a new id.",
    move: "abort",
  },
  "prepare-held": {
    call: "Prepare",
    knew: "TETHER_HELD: somebody prepared this id and holds it.",
    next: "Leave it alone: abort and abandon nothing. Whoever holds the tether drives this migration.",
    move: "end",
  },
  "prepare-over": {
    call: "Prepare",
    knew: "MIGRATION_OVER: this id has ended here without landing.",
    next: "Abort at the source, then Confirm. Begin under a new id.",
    move: "abort",
  },
  "prepare-over-landed": {
    call: "Prepare",
    knew: "MIGRATION_OVER with verdict `landed` or `perished`.",
    next: "Confirm at the source and act on the verdict.",
    move: "confirm",
  },
  "prepare-refused": {
    call: "Prepare",
    knew: "Any other fault (HOST_UNFIT with its blockers, GUEST_RESIDENT_HERE, QEMU_FAILED, …).",
    next: "Abort at the source, to give the lease back. Do what the reason asks, or choose another destination, under a new id.",
    move: "abort",
  },
  "prepare-timeout": {
    call: "Prepare",
    knew: "Not `prepared` after my limit.",
    next: "Abort at the source and Finish(abandon): then hang up. Begin under a new id.",
    move: "abort",
  },
  "tether-news": {
    call: "the tether",
    knew: "`beat` or `phase`.",
    next: "Nothing. Remember the phase for people: `loaded` means that a whole copy waits there.",
    move: "wait",
  },
  "tether-met": {
    call: "the tether",
    knew: "`phase`, and it is `receiving` or a later one: the agents have met.",
    next: "Send Finish(land) now, if it was not sent: Perform's own answer may be lost, and the guest must not stand still for that.",
    move: "land",
  },
  "tether-landed": {
    call: "the tether",
    knew: "`landed`; or the stream ended OK.",
    next: "The guest is the destination's, and the tether no longer matters. Confirm at the source.",
    move: "confirm",
  },
  "tether-returned": {
    call: "the tether",
    knew: "ABORTED with verdict `returned`, while or after Perform: the guest there was discarded.",
    next: "Confirm at the source, until it has the guest back. Begin under a new id.",
    move: "confirm",
  },
  "tether-returned-early": {
    call: "the tether",
    knew: "ABORTED with verdict `returned`, before Perform was called.",
    next: "Abort at the source, to give the lease back. Begin under a new id.",
    move: "abort",
  },
  "tether-perished": {
    call: "the tether",
    knew: "ABORTED with verdict `perished`.",
    next: "Stop, and call a person, who decides with `ferry resolve`: the guest may have run there. Start it nowhere.",
    move: "end",
  },
  "tether-lost": {
    call: "the tether",
    knew: "The stream broke without a verdict, and Finish(land) was never ordered.",
    next: "The guest there dies by that cut. Abort at the source, Finish(abandon), Confirm.",
    move: "abort",
  },
  "tether-lost-ordered": {
    call: "the tether",
    knew: "The stream broke without a verdict, after Finish(land) was ordered: it may have landed or not.",
    next: "Repeat Finish(land) until it tells the verdict, and ask Confirm beside it. Never start the guest yourself.",
    move: "askBoth",
  },
  "perform-bound": {
    call: "Perform",
    knew: "`bound`: the agents have met.",
    next: "Send Finish(land) now, with the tether still held: then nobody has to be asked during the blackout.",
    move: "land",
  },
  "perform-progress": {
    call: "Perform",
    knew: "`progress`.",
    next: "Nothing: show it. `ratio` never runs backwards.",
    move: "wait",
  },
  "perform-released": {
    call: "Perform",
    knew: "`released`: custody was given away, and the guest stands still.",
    next: "Hold the tether; Finish(land) tells the verdict. Send it now if it was not sent.",
    move: "land",
  },
  "perform-failed": {
    call: "Perform",
    knew: "`failed`: the copy came to nothing and the source has the guest.",
    next: "Finish(abandon) on the destination, then Confirm. Begin under a new id.",
    move: "abandon",
  },
  "perform-again": {
    call: "Perform",
    knew: "A fault with RetryInfo (STARTING, DESTINATION_UNREACHABLE, …).",
    next: "Hold the tether and repeat Perform with the same parameters after that delay.",
    move: "repeat",
  },
  "perform-silence": {
    call: "Perform",
    knew: "The stream broke, or ended without `released` or `failed`. The copy goes on: the stream is a view.",
    next: "Hold the tether and repeat Perform with the same parameters: it re-attaches.",
    move: "repeat",
  },
  "perform-hold": {
    call: "Perform",
    knew: "The stream broke and cannot be had again, and the destination has passed `receiving`: it may hold the only good copy.",
    next: "Hold the tether for as long as it takes, say so, and go on repeating Perform. Letting go kills that copy.",
    move: "hold",
  },
  "perform-over": {
    call: "Perform",
    knew: "MIGRATION_OVER with verdict `returned`: the source has kept the guest.",
    next: "Finish(abandon) on the destination, then Confirm. Begin under a new id.",
    move: "abandon",
  },
  "perform-over-landed": {
    call: "Perform",
    knew: "MIGRATION_OVER with verdict `landed` or `perished`.",
    next: "Confirm and act on the verdict.",
    move: "confirm",
  },
  "perform-unknown": {
    call: "Perform",
    knew: "MIGRATION_UNKNOWN, and Finish(land) was never ordered. It proves nothing about the guest.",
    next: "Abort at the source, Finish(abandon), and follow the destination's verdict.",
    move: "abort",
  },
  "perform-refused": {
    call: "Perform",
    knew: "Any other fault (WRONG_PEER, ID_CONFLICT, WRONG_HOST, …), and Finish(land) was never ordered.",
    next: "Abort at the source, then Finish(abandon). Do what the reason asks.",
    move: "abort",
  },
  "perform-refused-ordered": {
    call: "Perform",
    knew: "Any fault without RetryInfo, after Finish(land) was ordered.",
    next: "Hold the tether: Finish tells the verdict.",
    move: "wait",
  },
  "perform-timeout": {
    call: "Perform",
    knew: "The source was silent for my limit, and the destination is still `receiving`: its copy is not whole.",
    next: "Give up: Abort if the source answers, then Finish(abandon). The guest is the source's.",
    move: "abort",
  },
  "finish-landed": {
    call: "Finish(land)",
    knew: "`landed`.",
    next: "The guest is the destination's. Confirm at the source, which destroys its copy by itself.",
    move: "confirm",
  },
  "finish-returned": {
    call: "Finish(land)",
    knew: "`returned`, with a cause.",
    next: "The guest never ran there and never will. Confirm at the source, until it runs there again.",
    move: "confirm",
  },
  "finish-perished": {
    call: "Finish(land)",
    knew: "`perished`.",
    next: "Stop, and call a person, who decides with `ferry resolve`: the guest may have run there. Start it nowhere.",
    move: "end",
  },
  "finish-pending": {
    call: "Finish(land)",
    knew: "`pending`.",
    next: "Hold the tether and ask again, with the same order.",
    move: "repeat",
  },
  "finish-silence": {
    call: "Finish(land)",
    knew: "No answer, one that no agent gave, or INTERNAL. The order may have been heard or not.",
    next: "Hold the tether and repeat Finish(land): the verdict is the same every time.",
    move: "repeat",
  },
  "finish-again": {
    call: "Finish(land)",
    knew: "NOT_YET, or another fault with RetryInfo.",
    next: "Repeat Finish(land) after that delay.",
    move: "repeat",
  },
  "finish-unknown": {
    call: "Finish(land)",
    knew: "MIGRATION_UNKNOWN: the destination has lost what it knew. It proves nothing about the guest.",
    next: "Ask Confirm. Never start the guest because of this answer.",
    move: "confirm",
  },
  "finish-refused": {
    call: "Finish(land)",
    knew: "Any other fault (FORBIDDEN, WRONG_HOST, …): the order was not taken.",
    next: "Abort at the source, then Finish(abandon), and follow the verdict.",
    move: "abort",
  },
  "finish-timeout": {
    call: "Finish(land)",
    knew: "The destination was silent for my limit.",
    next: "Ask Confirm: the source may have heard the verdict. Never start the guest yourself.",
    move: "confirm",
  },
  "abandon-landed": {
    call: "Finish(abandon)",
    knew: "`landed`: too late, and no harm done.",
    next: "The guest is the destination's. Confirm at the source.",
    move: "confirm",
  },
  "abandon-returned": {
    call: "Finish(abandon)",
    knew: "`returned`.",
    next: "Confirm at the source, until it has the guest back.",
    move: "confirm",
  },
  "abandon-perished": {
    call: "Finish(abandon)",
    knew: "`perished`.",
    next: "Stop, and call a person, who decides with `ferry resolve`: the guest may have run there. Start it nowhere.",
    move: "end",
  },
  "abandon-pending": {
    call: "Finish(abandon)",
    knew: "`pending`.",
    next: "Ask again, with the same order.",
    move: "repeat",
  },
  "abandon-silence": {
    call: "Finish(abandon)",
    knew: "No answer, one that no agent gave, or INTERNAL.",
    next: "Repeat Finish(abandon).",
    move: "repeat",
  },
  "abandon-again": {
    call: "Finish(abandon)",
    knew: "A fault with RetryInfo.",
    next: "Repeat Finish(abandon) after that delay.",
    move: "repeat",
  },
  "abandon-unknown": {
    call: "Finish(abandon)",
    knew: "MIGRATION_UNKNOWN: nothing of that id was ever accepted there, or its disk was lost.",
    next: "Confirm at the source; it proves nothing by itself.",
    move: "confirm",
  },
  "abandon-refused": {
    call: "Finish(abandon)",
    knew: "Any other fault.",
    next: "Hang up the tether, if it is held: that discards as well. Confirm at the source.",
    move: "confirm",
  },
  "abandon-timeout": {
    call: "Finish(abandon)",
    knew: "The destination was silent for my limit.",
    next: "Hang up the tether, if it is held. Confirm at the source.",
    move: "confirm",
  },
  "abort-aborted": {
    call: "Abort",
    knew: "ABORTED: the guest is the source's.",
    next: "Finish(abandon) on the destination, to clear it away; then Confirm.",
    move: "abandon",
  },
  "abort-under-way": {
    call: "Abort",
    knew: "UNDER_WAY: the guest is being taken back.",
    next: "Finish(abandon) on the destination; Confirm tells when.",
    move: "abandon",
  },
  "abort-too-late": {
    call: "Abort",
    knew: "TOO_LATE: custody was given away, the destination decides.",
    next: "Finish(abandon) there, and follow the verdict: it may be `landed` all the same.",
    move: "abandon",
  },
  "abort-silence": {
    call: "Abort",
    knew: "No answer, one that no agent gave, or INTERNAL.",
    next: "Repeat Abort.",
    move: "repeat",
  },
  "abort-again": {
    call: "Abort",
    knew: "A fault with RetryInfo.",
    next: "Repeat Abort after that delay.",
    move: "repeat",
  },
  "abort-unknown": {
    call: "Abort",
    knew: "MIGRATION_UNKNOWN: the source knows no such migration. It proves nothing about the guest.",
    next: "Finish(abandon) on the destination, and follow its verdict.",
    move: "abandon",
  },
  "abort-refused": {
    call: "Abort",
    knew: "Any other fault.",
    next: "Finish(abandon) on the destination, and follow its verdict.",
    move: "abandon",
  },
  "abort-timeout": {
    call: "Abort",
    knew: "The source was silent for my limit.",
    next: "Finish(abandon) on the destination: the source takes the guest back when it hears `returned`.",
    move: "abandon",
  },
  "abort-early": {
    call: "Abort",
    knew: "Any answer, or none within my limit, while nothing can be prepared on the destination.",
    next: "Stop: nothing moved. A lease that is left lapses by itself.",
    move: "end",
  },
  "confirm-landed": {
    call: "Confirm",
    knew: "`landed` and settled.",
    next: "Done: the guest is the destination's, and the source's copy is gone.",
    move: "end",
  },
  "confirm-returned": {
    call: "Confirm",
    knew: "`returned` and settled.",
    next: "Done: the guest is the source's, as it was. To try again, begin under a new id.",
    move: "end",
  },
  "confirm-perished": {
    call: "Confirm",
    knew: "`perished`.",
    next: "Stop, and call a person, who decides with `ferry resolve`: the guest may have run there. Start it nowhere.",
    move: "end",
  },
  "confirm-pending": {
    call: "Confirm",
    knew: "`pending`, or a verdict that the source has not acted on yet.",
    next: "Ask again.",
    move: "repeat",
  },
  "confirm-silence": {
    call: "Confirm",
    knew: "No answer, one that no agent gave, or INTERNAL.",
    next: "Ask again: Confirm moves nothing.",
    move: "repeat",
  },
  "confirm-again": {
    call: "Confirm",
    knew: "A fault with RetryInfo.",
    next: "Ask again after that delay.",
    move: "repeat",
  },
  "confirm-later": {
    call: "Confirm",
    knew: "MIGRATION_UNKNOWN, another fault, or silence for my limit; the outcome is known already.",
    next: `Stop: the outcome stands, and the source has yet to act on it. ${ALONE}`,
    move: "end",
  },
  "confirm-open": {
    call: "Confirm",
    knew: "The same, without a verdict, while Finish or Abort is still being asked.",
    next: "Go on asking those.",
    move: "wait",
  },
  "both-silent": {
    call: "Finish or Confirm",
    knew: "The same, without a verdict, and nobody is left to ask.",
    next: `Stop, with outcome \`pending\`: nothing is known, so do nothing to the guest. ${ALONE}`,
    move: "end",
  },
  "caller-abort": {
    call: "my own caller",
    knew: "It wants the migration ended.",
    next: "Abort at the source; then Finish(abandon) if anything may be prepared; then follow the verdict.",
    move: "abort",
  },
  "verdict-known": {
    call: "anything",
    knew: "Something that is no verdict, or a wish to abort, after the verdict was heard.",
    next: "Nothing: a verdict never changes.",
    move: "wait",
  },
  withdrawn: {
    call: "anything",
    knew: "Something that is no verdict, from a call that Abort or Finish(abandon) has overtaken.",
    next: "Nothing: Abort's, Finish(abandon)'s or Confirm's answer decides. Never repeat Finish(land) after an abandon.",
    move: "wait",
  },
} as const satisfies Record<string, Row>;

export type RowId = keyof typeof ROWS;
