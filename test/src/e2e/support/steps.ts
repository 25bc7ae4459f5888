/*
 * A controller that takes one step at a time, so that a test can stop between any two of them: one
 * migration of one guest, and the bare calls. Nothing is repeated and nothing is decided here.
 */
import { randomUUID } from "node:crypto";
import { type Agent, watchMigrations } from "@ferry/client";
import {
  type AbortResponse,
  type BeginResponse,
  ConfirmOverride,
  type ConfirmResponse,
  DestinationServiceService,
  type FaultRead,
  FinishOrder,
  type FinishRequest,
  type FinishResponse,
  type GuestDescription,
  type Migration,
  type PerformRequest,
  type PerformResponse,
  type PrepareOpen,
  readFault,
  SourceServiceService,
  Transport,
} from "@ferry/contract";
import type { TestHost } from "../../harness/hosts.js";
import { until } from "../../harness/until.js";
import { HeldTether, type TetherOptions } from "./held-tether.js";

/** An agent answers within this time, or a test fails, in milliseconds. */
const ANSWER_MS = 60_000;

export interface StepsOptions {
  readonly guestId: string;
  readonly from: TestHost;
  readonly to: TestHost;
  readonly migrationId?: string;
  readonly transport?: Transport;
}

export class Steps {
  readonly migrationId: string;
  readonly guestId: string;
  readonly from: TestHost;
  readonly to: TestHost;
  readonly transport: Transport;
  description: GuestDescription | undefined;

  constructor({ guestId, from, to, migrationId, transport }: StepsOptions) {
    this.migrationId = migrationId ?? randomUUID();
    this.transport = transport ?? Transport.DIRECT;
    this.guestId = guestId;
    this.from = from;
    this.to = to;
  }

  async begin(): Promise<BeginResponse> {
    const request = {
      expectedAgentId: "",
      migrationId: this.migrationId,
      guestId: this.guestId,
      validateOnly: false,
      path: undefined,
    };
    const answer = await this.from.client.source.unary(SourceServiceService.begin, request, LIMIT);
    this.description = answer.description;
    return answer;
  }

  /** What Prepare is asked. Begin was called before. */
  opening(change: Partial<PrepareOpen> = {}): PrepareOpen {
    return {
      expectedAgentId: "",
      migrationId: this.migrationId,
      description: this.description,
      transport: this.transport,
      heartbeatIntervalMs: 0,
      network: "",
      validateOnly: false,
      ...change,
    };
  }

  /** Opens the tether. */
  prepare(change: Partial<PrepareOpen> = {}, options: TetherOptions = {}): HeldTether {
    const { destination } = this.to.client;
    const secure = this.to.destination.options.security.tls !== undefined;
    return new HeldTether(
      secure ? destination : destination.address,
      this.opening(change),
      options,
    );
  }

  perform(change: Partial<PerformRequest> = {}): View {
    return new View(this.from.client.source, {
      expectedAgentId: "",
      migrationId: this.migrationId,
      destinationAddress: this.to.client.destination.address,
      destinationAgentId: this.to.client.expected.destination,
      bandwidthBytesPerSecond: 0n,
      downtimeLimitMs: 0,
      timeoutMs: 0,
      ...change,
    });
  }

  /** `signal` hangs up: the order may have been heard all the same. */
  finish(
    order: FinishOrder,
    change: Partial<FinishRequest> = {},
    signal?: AbortSignal,
  ): Promise<FinishResponse> {
    const request = {
      expectedAgentId: "",
      migrationId: this.migrationId,
      order,
      wait: { $case: "waitMs" as const, value: 0 },
      override: undefined,
      ...change,
    };
    const options = { ...LIMIT, signal };
    return this.to.client.destination.unary(DestinationServiceService.finish, request, options);
  }

  /** Finish(land), answered at once unless told to wait. */
  land(waitMs = 0): Promise<FinishResponse> {
    return this.finish(FinishOrder.LAND, { wait: { $case: "waitMs", value: waitMs } });
  }

  /** Finish(abandon), answered at once unless told to wait. */
  abandon(waitMs = 0): Promise<FinishResponse> {
    return this.finish(FinishOrder.ABANDON, { wait: { $case: "waitMs", value: waitMs } });
  }

  confirm(waitMs = 0, override?: ConfirmOverride): Promise<ConfirmResponse> {
    const request = {
      expectedAgentId: "",
      migrationId: this.migrationId,
      wait: { $case: "waitMs" as const, value: waitMs },
      override,
    };
    return this.from.client.source.unary(SourceServiceService.confirm, request, LIMIT);
  }

  /** Confirm, in which a person stands in for the destination; waits until it has come about. */
  standIn(override: Partial<ConfirmOverride>): Promise<ConfirmResponse> {
    const fencedHost = this.to.name;
    return this.confirm(ANSWER_MS, ConfirmOverride.fromPartial({ fencedHost, ...override }));
  }

  abort(): Promise<AbortResponse> {
    const request = { expectedAgentId: "", migrationId: this.migrationId };
    return this.from.client.source.unary(SourceServiceService.abort, request, LIMIT);
  }

  /** Waits until the arrival looks like that. */
  arrival(what: string, look: (arrival: Migration) => boolean, withinMs?: number) {
    return seen(this.to.client.destination, this.migrationId, what, look, withinMs);
  }

  /** Waits until the departure looks like that. */
  departure(what: string, look: (departure: Migration) => boolean, withinMs?: number) {
    return seen(this.from.client.source, this.migrationId, what, look, withinMs);
  }

  arrivalIn(phase: string): Promise<Migration> {
    return this.arrival(`the arrival to be ${phase}`, (it) => it.phase === phase);
  }

  departureIn(phase: string): Promise<Migration> {
    return this.departure(`the departure to be ${phase}`, (it) => it.phase === phase);
  }
}

const LIMIT = { timeoutMs: ANSWER_MS };

/** Perform's stream, and what it said. */
export class View {
  readonly events: PerformResponse[] = [];
  /** Resolves at its end, with what was thrown. */
  readonly ended: Promise<unknown>;
  readonly #hangUp = new AbortController();
  #over = false;

  constructor(agent: Agent, request: PerformRequest) {
    this.ended = this.#read(agent, request);
  }

  async #read(agent: Agent, request: PerformRequest): Promise<unknown> {
    try {
      const { signal } = this.#hangUp;
      for await (const event of agent.watch(SourceServiceService.perform, request, { signal })) {
        this.events.push(event);
      }
      return undefined;
    } catch (error) {
      return error;
    } finally {
      this.#over = true;
    }
  }

  /** Waits until the agents have met. */
  async bound(): Promise<void> {
    await until("Perform to say `bound`", async () => {
      if (this.said("bound") !== undefined) return true;
      if (this.#over) throw new Error(`Perform ended: ${String(await this.ended)}`);
      return false;
    });
  }

  said(kind: NonNullable<PerformResponse["event"]>["$case"]): PerformResponse | undefined {
    return this.events.find(({ event }) => event?.$case === kind);
  }

  /** Leaves: a view is all that ends. */
  leave(): void {
    this.#hangUp.abort();
  }
}

/** Waits until an agent's migration looks like that, over every restart of the agent. */
export async function seen(
  agent: Agent,
  migrationId: string,
  what: string,
  look: (migration: Migration) => boolean,
  withinMs = 40_000,
): Promise<Migration> {
  const deadline = AbortSignal.timeout(withinMs);
  let last: Migration | undefined;
  let trouble: unknown;
  while (!deadline.aborted) {
    try {
      for await (const migration of watchMigrations(agent, migrationId, { signal: deadline })) {
        last = migration;
        if (look(migration)) return migration;
      }
    } catch (error) {
      trouble = error;
      await new Promise((resolve) => setTimeout(resolve, 50)); // the agent is not there just now
    }
  }
  const words = last === undefined ? String(trouble) : `it is ${last.phase} (${last.reason})`;
  throw new Error(`waited ${withinMs} ms in vain for ${what}: ${words}`);
}

/** What a caller hears: what `word` makes of an answer, or the reason it was refused for. */
export async function told<T>(call: Promise<T>, word: (answer: T) => string): Promise<string> {
  try {
    return word(await call);
  } catch (error) {
    const fault = readFault(error);
    if (fault === undefined) throw error;
    return fault.reason;
  }
}

/** The fault a call is refused with. Throws if it was not refused, or not by an agent. */
export async function refusal(call: Promise<unknown>): Promise<FaultRead> {
  const answer = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!("error" in answer)) throw new Error(`it was taken: ${words(answer.value)}`);
  const fault = readFault(answer.error);
  if (fault === undefined) throw answer.error;
  return fault;
}

function words(value: unknown): string {
  return JSON.stringify(value, (_, each) => (typeof each === "bigint" ? `${each}` : each));
}
