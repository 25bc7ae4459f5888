/* The guests that live on one host, and what its agents know: thin calls that only add types. */
import {
  AgentServiceService,
  type GetInfoResponse,
  type Guest,
  GuestServiceService,
  type GuestSpec,
  type Migration,
  MigrationServiceService,
  type StopOutcome,
  type WatchResponse,
} from "@ferry/contract";
import type { Agent, CallOptions } from "./agent.js";

/** Starting and stopping a guest may take as long as QEMU does. */
const CALL_MS = 60_000;

export class Guests {
  constructor(
    readonly agent: Agent,
    readonly expectedAgentId = "",
  ) {}

  async start(spec: GuestSpec, options: { paused?: boolean } & CallOptions = {}): Promise<Guest> {
    const { expectedAgentId } = this;
    const request = { expectedAgentId, spec, paused: options.paused ?? false };
    return present(
      (await this.agent.unary(GuestServiceService.start, request, limit(options))).guest,
    );
  }

  /** `graceMs`: how long the guest may take to power down before it is killed; the agent's default is 10 s. */
  async stop(
    guestId: string,
    options: { graceMs?: number } & CallOptions = {},
  ): Promise<StopOutcome> {
    const { expectedAgentId } = this;
    const { graceMs } = options;
    const timeoutMs = CALL_MS + (graceMs ?? 10_000);
    const answer = await this.agent.unary(
      GuestServiceService.stop,
      {
        expectedAgentId,
        guestId,
        grace: graceMs === undefined ? undefined : { $case: "graceMs", value: graceMs },
      },
      { timeoutMs, ...options },
    );
    return answer.outcome;
  }

  async pause(guestId: string, options: CallOptions = {}): Promise<Guest> {
    const request = this.#named(guestId);
    return present(
      (await this.agent.unary(GuestServiceService.pause, request, limit(options))).guest,
    );
  }

  async resume(guestId: string, options: CallOptions = {}): Promise<Guest> {
    const request = this.#named(guestId);
    return present(
      (await this.agent.unary(GuestServiceService.resume, request, limit(options))).guest,
    );
  }

  async get(guestId: string, options: CallOptions = {}): Promise<Guest> {
    const request = this.#named(guestId);
    return present(
      (await this.agent.unary(GuestServiceService.get, request, limit(options))).guest,
    );
  }

  async list(options: CallOptions = {}): Promise<Guest[]> {
    const { expectedAgentId } = this;
    return (await this.agent.unary(GuestServiceService.list, { expectedAgentId }, limit(options)))
      .guests;
  }

  /** Every guest as it is now, then every change. Empty id: all of them. */
  watch(guestId = "", options: CallOptions = {}): AsyncGenerator<WatchResponse> {
    return this.agent.watch(GuestServiceService.watch, this.#named(guestId), options);
  }

  #named(guestId: string) {
    return { expectedAgentId: this.expectedAgentId, guestId };
  }
}

/** What an agent knows of one migration. */
export async function getMigration(
  agent: Agent,
  migrationId: string,
  options: CallOptions = {},
): Promise<Migration> {
  const request = { expectedAgentId: "", migrationId };
  const answer = await agent.unary(MigrationServiceService.getMigration, request, limit(options));
  return present(answer.migration);
}

/** Newest first. Empty guest id: all. */
export async function listMigrations(
  agent: Agent,
  guestId = "",
  options: CallOptions = {},
): Promise<Migration[]> {
  const request = { expectedAgentId: "", guestId };
  return (await agent.unary(MigrationServiceService.listMigrations, request, limit(options)))
    .migrations;
}

/** Every migration as it is now, then every change. Empty id: all of them. */
export async function* watchMigrations(
  agent: Agent,
  migrationId = "",
  options: CallOptions = {},
): AsyncGenerator<Migration> {
  const request = { expectedAgentId: "", migrationId };
  for await (const { migration } of agent.watch(
    MigrationServiceService.watchMigrations,
    request,
    options,
  )) {
    if (migration !== undefined) yield migration;
  }
}

export function getInfo(agent: Agent, options: CallOptions = {}): Promise<GetInfoResponse> {
  return agent.unary(AgentServiceService.getInfo, { expectedAgentId: "" }, limit(options));
}

function limit(options: CallOptions): CallOptions {
  return { timeoutMs: CALL_MS, ...options };
}

/** proto3 messages may always be absent; these never are. */
function present<T>(message: T | undefined): T {
  if (message === undefined) throw new Error("the agent answered without what was asked for");
  return message;
}
