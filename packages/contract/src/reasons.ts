/*
 * Every word an agent may give for a "no", and what the caller must do about it. docs/errors.md is
 * drawn from these tables. The caller's next move picks the status; what broke inside does not. A
 * verdict is an answer, never a fault.
 */
import { status } from "@grpc/grpc-js";

/** What one word means and asks for. */
export interface Meaning {
  readonly meaning: string;
  /** What the caller must do now, as an order. */
  readonly next: string;
}

export interface Reason extends Meaning {
  readonly code: status;
  /** How long to wait before trying again, in milliseconds, unless the fault says otherwise. */
  readonly retryAfterMs?: number;
}

/** Why a call was refused: ErrorInfo.reason, domain "ferry". */
export const REASONS = {
  INVALID_REQUEST: {
    code: status.INVALID_ARGUMENT,
    meaning:
      "The request is malformed. BadRequest names every field that is wrong; bytes that cannot be read at all have no fields.",
    next: "Mend the fields that are named, or encode the request as the contract says. Repeating the call unchanged fails again.",
  },
  UNSUPPORTED: {
    code: status.UNIMPLEMENTED,
    meaning: "The request needs something this agent is too old for, or was built without.",
    next: "Ask GetInfo what the agent can do; upgrade it, or ask for less. Do not retry.",
  },
  MESSAGE_TOO_LARGE: {
    code: status.RESOURCE_EXHAUSTED,
    meaning:
      "A message of this call is larger than the agent takes or sends (`limits.message_bytes_max`, 4 MiB unless configured).",
    next: "Send, or ask for, less; no migration's messages come near that. Repeating the call unchanged fails again.",
  },
  PEER_ONLY: {
    code: status.PERMISSION_DENIED,
    meaning: "Only another agent may make this call, and the caller has no agent's certificate.",
    next: "Leave PeerService to the agents. If you are an agent, mend your certificate's URI name.",
  },
  FORBIDDEN: {
    code: status.PERMISSION_DENIED,
    meaning: "The caller's certificate does not allow this call.",
    next: "Use a certificate that does. Do not retry with this one.",
  },
  WRONG_PEER: {
    code: status.PERMISSION_DENIED,
    meaning:
      "The arrival was prepared for another source or another guest than the one that called.",
    next: "Check which destination and which migration Perform was given; begin again under a new id.",
  },
  WRONG_HOST: {
    code: status.FAILED_PRECONDITION,
    meaning:
      "Another agent answered than the one in expected_agent_id, or a source agent was asked what only a destination agent serves (or the other way round). Nothing was done.",
    next: "Dial the agent you meant: an address that balances between hosts cannot carry a migration.",
  },
  WRONG_PHASE: {
    code: status.FAILED_PRECONDITION,
    meaning: "The migration is in a phase in which this call makes no sense. Nothing was done.",
    next: "Mend the order of your calls; GetMigration tells the phase.",
  },
  NOT_YET: {
    code: status.FAILED_PRECONDITION,
    meaning:
      "The call is right and came too early: the agents have not met, or the guest is busy starting.",
    next: "Wait for Perform's first answer, then repeat the call as it is.",
    retryAfterMs: 200,
  },
  MIGRATION_UNKNOWN: {
    code: status.NOT_FOUND,
    meaning: "This agent knows no migration of that id. It proves nothing about the guest.",
    next: "Check the id and the host. Never start the guest elsewhere because of this answer.",
  },
  GUEST_UNKNOWN: {
    code: status.NOT_FOUND,
    meaning: "No guest of that name lives on this host.",
    next: "Look for it on the other hosts; it may have moved.",
  },
  ID_CONFLICT: {
    code: status.ALREADY_EXISTS,
    meaning: "That migration id was used before with other parameters.",
    next: "Make a new id. If you meant to repeat a call, repeat it with the same parameters.",
  },
  GUEST_EXISTS: {
    code: status.ALREADY_EXISTS,
    meaning:
      "A guest of that name lives here already, with another specification; or a QEMU of it does that no record names.",
    next: "Choose another name, or stop that guest first. What to do with a QEMU that no record names, `ferry doctor` says.",
  },
  GUEST_RESIDENT_HERE: {
    code: status.ALREADY_EXISTS,
    meaning: "A guest of that name lives or is arriving on the destination already.",
    next: "Find out with GuestService and MigrationService which of the two is meant. Do not retry.",
  },
  GUEST_BUSY: {
    code: status.ABORTED,
    meaning: "Another migration holds the guest.",
    next: "Let that migration end (its id is in the metadata), or abort it; then begin again.",
    retryAfterMs: 1_000,
  },
  GUEST_NOT_RUNNING: {
    code: status.FAILED_PRECONDITION,
    meaning: "The guest's QEMU has ended, so there is nothing to move, pause or resume.",
    next: "Start the guest again, or give it up.",
  },
  GUEST_UNREACHABLE: {
    code: status.FAILED_PRECONDITION,
    meaning:
      "The guest's QEMU lives, and its monitor does not answer: nothing can be asked of it. The guest is not disturbed.",
    next: "Never start it elsewhere: it runs. The message says why nobody answers; once that is mended, repeat the call.",
  },
  GUEST_UNFIT: {
    code: status.FAILED_PRECONDITION,
    meaning: "The guest cannot be moved as it is. Every blocker is listed.",
    next: "Remove what blocks it, then begin again.",
  },
  OVERRIDE_REFUSED: {
    code: status.FAILED_PRECONDITION,
    meaning:
      "An override stands in for a host that is gone, and here it is not needed or not safe: that host answers, or its word was heard, or nothing waits for it. After `perished` it is a person's decision, and says `accept_perished`; of an agent that answers and knows nothing of the migration a person says `forgotten`. Nothing was done.",
    next: "Let the agents settle it: repeat Finish or Confirm without an override, and act on the verdict. If the message says that the agent has lost what it knew, look on that host first.",
  },
  MIGRATION_OVER: {
    code: status.ABORTED,
    meaning: "That migration has ended; its verdict and cause are in the metadata.",
    next: "Act on the verdict. To try again, begin under a new id.",
  },
  TETHER_HELD: {
    code: status.ABORTED,
    meaning:
      "That migration is prepared already, and a caller holds its tether. Nothing was harmed.",
    next: "If the other caller is not you, leave it. If it was you, send Finish(abandon) and begin again under a new id.",
  },
  TETHER_CUT: {
    code: status.ABORTED,
    meaning:
      "The guest was discarded before it landed: the tether was cut, or something else ended it. Cause and verdict are in the metadata.",
    next: "The source runs the guest on, or will once it has heard the verdict: Confirm there. Begin again under a new id.",
  },
  HOST_UNFIT: {
    code: status.FAILED_PRECONDITION,
    meaning: "The destination cannot take this guest. Every blocker is listed.",
    next: "Choose another destination, or mend what is listed.",
  },
  SAME_HOST: {
    code: status.FAILED_PRECONDITION,
    meaning: "Source and destination are one host.",
    next: "Choose another destination.",
  },
  ACCELERATOR_MISSING: {
    code: status.FAILED_PRECONDITION,
    meaning: "The guest wants an accelerator that does not work on this host.",
    next: "Choose another host, or mend KVM there: GetInfo says what its probe saw.",
  },
  NO_SLOT: {
    code: status.RESOURCE_EXHAUSTED,
    meaning: "As many guests are arriving (or leaving) as this host takes at once.",
    next: "Wait as RetryInfo says, or choose another destination.",
    retryAfterMs: 5_000,
  },
  NO_MEMORY: {
    code: status.RESOURCE_EXHAUSTED,
    meaning: "The host has too little memory left for the guest.",
    next: "Choose another destination, or make room there.",
    retryAfterMs: 60_000,
  },
  NO_PORT: {
    code: status.RESOURCE_EXHAUSTED,
    meaning: "No port for an incoming migration is free.",
    next: "Wait as RetryInfo says, or widen the destination's port range.",
    retryAfterMs: 5_000,
  },
  STATE_DIRECTORY_FULL: {
    code: status.RESOURCE_EXHAUSTED,
    meaning:
      "The agent's state directory cannot be written. It takes no new work; custody did not move.",
    next: "Make room or mend the disk on that host; until then choose another.",
    retryAfterMs: 30_000,
  },
  HOST_EXHAUSTED: {
    code: status.RESOURCE_EXHAUSTED,
    meaning:
      "The agent has no file descriptor, no process or no memory left to do this with. It says nothing about the guest.",
    next: "Repeat the call as it is; if it goes on, raise the agent's limits (LimitNOFILE, TasksMax) and look who connects so often.",
    retryAfterMs: 1_000,
  },
  DRAINING: {
    code: status.UNAVAILABLE,
    meaning: "The agent is shutting down and takes no new work.",
    next: "Retry with backoff; another agent will take its place.",
    retryAfterMs: 5_000,
  },
  STARTING: {
    code: status.UNAVAILABLE,
    meaning: "The agent has just started and is still looking at what it left behind.",
    next: "Retry with backoff.",
    retryAfterMs: 500,
  },
  DESTINATION_UNREACHABLE: {
    code: status.UNAVAILABLE,
    meaning: "The source agent cannot reach the destination agent. The guest runs on.",
    next: "Check destination_address as the source sees it, and the certificates; then repeat Perform.",
    retryAfterMs: 1_000,
  },
  QEMU_FAILED: {
    code: status.ABORTED,
    meaning: "QEMU could not be started, or refused what it was asked.",
    next: "Read the message; the agent's log has QEMU's own words. Begin again under a new id.",
  },
  INTERNAL: {
    code: status.INTERNAL,
    meaning: "A bug in the agent; its log has it whole. It says nothing about the guest.",
    next: "Ask for the verdict (Finish or Confirm) before you do anything else, and report the bug.",
  },
} as const satisfies Record<string, Reason>;

export type FaultReason = keyof typeof REASONS;

/** What may stand in a guest's way: Blocker.reason, and PreconditionFailure's `type`. */
export const BLOCKERS = {
  MACHINE_TYPE_UNKNOWN: {
    meaning: "The destination's QEMU does not know the guest's machine type.",
    next: "Install a QEMU there that is at least as new as the source's.",
  },
  CPU_INCOMPATIBLE: {
    meaning: "The destination's CPU lacks a feature the guest has seen.",
    next: "Choose a host with that feature, or start the guest with a common CPU model.",
  },
  QEMU_TOO_OLD: {
    meaning: "The QEMU there is older than the protocol needs, or older than the guest's.",
    next: "Upgrade QEMU on that host.",
  },
  ACCELERATOR_MISSING: {
    meaning: "The guest runs under an accelerator that does not work on the destination.",
    next: "Choose another host, or mend KVM there.",
  },
  MEMORY_SHORT: {
    meaning: "The host has too little memory left for the guest.",
    next: "Make room there, or choose another host.",
  },
  NO_PORT: {
    meaning: "No port for an incoming migration is free.",
    next: "Wait, or widen the destination's port range.",
  },
  NO_SLOT: {
    meaning: "As many guests are moving as the host takes at once.",
    next: "Wait, or choose another host.",
  },
  DISK_MISSING: {
    meaning: "A disk image does not exist, or cannot be opened, under its path on that host.",
    next: "Mount the storage there under the same path.",
  },
  DISK_FORBIDDEN: {
    meaning: "A disk image lies outside the directories that host allows for images.",
    next: "Move the image, or have the host's configuration allow its directory.",
  },
  PATH_FORBIDDEN: {
    meaning: "A kernel, ramdisk or firmware lies outside the directories that host allows.",
    next: "Move the file, or have the host's configuration allow its directory.",
  },
  KERNEL_MISSING: {
    meaning: "A kernel, ramdisk or firmware does not exist under its path on that host.",
    next: "Install the file there under the same path.",
  },
  NIC_MISSING: {
    meaning: "A network device the guest uses does not exist on that host.",
    next: "Create the tap device there under the same name.",
  },
  GUEST_RESIDENT_HERE: {
    meaning: "A guest of that name lives or is arriving on the destination already.",
    next: "Find out which of the two is meant.",
  },
  SAME_HOST: {
    meaning: "Source and destination are one host.",
    next: "Choose another destination.",
  },
  TRANSPORT_FORBIDDEN: {
    meaning: "The destination's configuration does not allow that transport.",
    next: "Ask for an encrypted transport, or have the configuration allow this one by name.",
  },
  PATH_BLOCKED: {
    meaning:
      "The source host could not exchange bytes with the destination's migration port; the description says how it failed.",
    next: "Open the port range between the hosts (migration.port_first to port_last), or mend route or MTU; then check again.",
  },
  PEER_UNREACHABLE: {
    meaning: "The source agent cannot reach the destination agent, which Meet needs.",
    next: "Check the address as the source sees it, the firewall, and the certificates.",
  },
  NETWORK_UNKNOWN: {
    meaning: "The destination has no network of that name or address for guests to arrive on.",
    next: "Ask for one that the description lists, or have the host's configuration add it.",
  },
  NETWORK_DOWN: {
    meaning: "The network the guest should arrive on has no address on the destination just now.",
    next: "Bring the interface up there, or ask for another network.",
  },
  GUEST_UNKNOWN: {
    meaning: "No guest of that name lives on the source.",
    next: "Look for it on the other hosts.",
  },
  GUEST_NOT_RUNNING: {
    meaning: "The guest's QEMU has ended.",
    next: "Start the guest again, or give it up.",
  },
  GUEST_UNREACHABLE: {
    meaning: "The guest's QEMU lives, and its monitor does not answer.",
    next: "Never start it elsewhere: it runs. The description says why nobody answers.",
  },
  GUEST_BUSY: {
    meaning: "Another migration holds the guest.",
    next: "Let that migration end, or abort it.",
  },
  MIGRATION_BLOCKED: {
    meaning: "QEMU itself says that the guest cannot be migrated; the description has its words.",
    next: "Remove the device or setting QEMU names.",
  },
  STATE_DIRECTORY_FULL: {
    meaning: "The agent's state directory cannot be written.",
    next: "Make room or mend the disk on that host.",
  },
  SPEC_INVALID: {
    meaning: "The guest's specification is not one that host can run.",
    next: "Mend the specification as the description says.",
  },
  DRAINING: {
    meaning: "The agent is shutting down and takes no new work.",
    next: "Wait for its successor, or choose another host.",
  },
} as const satisfies Record<string, Meaning>;

export type BlockerReason = keyof typeof BLOCKERS;

/**
 * Why a migration came to nothing: PerformFailed.reason. The guest is the source's, or, after an override, whatever
 * the person said.
 */
export const FAILURES = {
  ABORTED: {
    meaning: "The migration was ended by Abort.",
    next: "Nothing: the guest is where it was.",
  },
  LEASE_OVER: {
    meaning: "Perform did not come before Begin's lease was over.",
    next: "Begin again under a new id, and call Perform, or repeat Begin, within `lease_ms`.",
  },
  SUPERSEDED: {
    meaning: "Another migration took the lease over before Perform came.",
    next: "Let that migration end; then begin again under a new id.",
  },
  AGENT_RESTARTED: {
    meaning:
      "The source agent was restarted, and the copy had not begun or was taken back by then.",
    next: "Nothing: the guest is where it was. Begin again under a new id.",
  },
  DESTINATION_UNREACHABLE: {
    meaning: "The destination agent could not be reached before the copy began.",
    next: "Check destination_address as the source sees it, then begin again under a new id.",
  },
  DESTINATION_REFUSED: {
    meaning: "The destination agent would not meet this source; the description has its words.",
    next: "Check which destination and which migration Perform was given.",
  },
  DESTINATION_UNPREPARED: {
    meaning: "The destination knows no such migration, or Prepare went to another agent.",
    next: "Prepare there first, and hold the stream open; then begin again under a new id.",
  },
  DESTINATION_DISCARDED: {
    meaning: "The destination discarded its copy: a cut tether, an abandon, or a fault there.",
    next: "Finish or Prepare's end tells the cause. Begin again under a new id.",
  },
  DESTINATION_LOST: {
    meaning: "The destination fell silent while the copy was under way.",
    next: "Check the destination host and the network between the hosts; begin again under a new id.",
  },
  MIGRATION_TIMEOUT: {
    meaning: "The migration took longer than its caller allowed (timeout_ms), so it was ended.",
    next: "Nothing: the guest is where it was. Allow more time or a longer downtime, or wait until the guest is quieter.",
  },
  SWITCHOVER_TIMEOUT: {
    meaning: "The switchover took longer than the downtime limit allows, so it was taken back.",
    next: "Check the network; allow a longer downtime, or begin again under a new id.",
  },
  QEMU_FAILED: {
    meaning: "QEMU gave the copy up; the description has its words.",
    next: "Read the description, then begin again under a new id.",
  },
  QEMU_DIED: {
    meaning: "The guest's own QEMU ended while it was being copied.",
    next: "Confirm until it is settled; only then may the guest be started again.",
  },
  STATE_DIRECTORY_UNWRITABLE: {
    meaning: "The source's state directory cannot be written, so custody was not given away.",
    next: "Make room or mend the disk on the source, then begin again under a new id.",
  },
  OVERRIDDEN: {
    meaning:
      "A person stood in for a destination that said nothing: took the guest back, or gave it up.",
    next: "Keep the destination's copy from running: docs/operations.md, A host that never comes back.",
  },
} as const satisfies Record<string, Meaning>;

export type FailureReason = keyof typeof FAILURES;
