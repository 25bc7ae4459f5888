/*
 * A tether a test holds by hand: the caller's end of one Prepare stream, with every way of ending it that
 * a caller has. What the stream said is kept.
 */
import type { Agent } from "@ferry/client";
import {
  DestinationServiceClient,
  DestinationServiceService,
  type FaultRead,
  type PrepareOpen,
  type PreparePrepared,
  type PrepareRequest,
  type PrepareResponse,
  readFault,
} from "@ferry/contract";
import { type ClientDuplexStream, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { until } from "../../harness/until.js";

export interface TetherOptions {
  /** Milliseconds from now. Default: none. */
  readonly deadlineMs?: number;
}

export class HeldTether {
  readonly phases: string[] = [];
  prepared: (PreparePrepared & { readonly agentId: string }) | undefined;
  landed = false;
  /** What else it said, e.g. the answer to validate_only. */
  readonly events: PrepareResponse[] = [];
  /** Resolves when the stream has ended: with its error, or undefined after an end that was OK. */
  readonly ended: Promise<ServiceError | undefined>;
  over = false;
  readonly #client: DestinationServiceClient | undefined;
  readonly #call: ClientDuplexStream<PrepareRequest, PrepareResponse>;
  #heart: NodeJS.Timeout | undefined;

  /** To an address: in plain text, on a connection of its own. To an agent: as that one is spoken to. */
  constructor(to: string | Agent, open: PrepareOpen | undefined, options: TetherOptions = {}) {
    const { deadlineMs } = options;
    if (typeof to === "string") {
      const own = { "grpc.use_local_subchannel_pool": 1 };
      this.#client = new DestinationServiceClient(to, credentials.createInsecure(), own);
      this.#call = this.#client.prepare(
        deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs },
      );
    } else {
      this.#call = to.duplex(DestinationServiceService.prepare);
    }
    this.ended = new Promise((resolve) => {
      let code: number | undefined;
      this.#call.on("error", (error: ServiceError) => resolve(error));
      this.#call.on("status", (given: { code: number }) => {
        code = given.code;
      });
      this.#call.on("end", () => {
        if (code === status.OK) resolve(undefined);
      });
    });
    void this.ended.then(() => {
      this.over = true;
      clearInterval(this.#heart);
      this.#client?.close();
    });
    this.#call.on("data", (response: PrepareResponse) => this.#hear(response));
    if (open === undefined) return;
    this.#call.write({ message: { $case: "open", value: open } });
    if (open.heartbeatIntervalMs > 0) {
      this.#heart = setInterval(() => this.beat(), open.heartbeatIntervalMs);
    }
  }

  /** Waits until it said `prepared`; throws what it said instead. */
  ready(): Promise<PreparePrepared & { readonly agentId: string }> {
    return until("the guest to be prepared", async () => {
      if (this.prepared !== undefined) return this.prepared;
      if (this.over) throw (await this.ended) ?? new Error("the tether ended before `prepared`");
      return undefined;
    });
  }

  /** Waits for the end, and reads the fault in it; undefined if it ended OK, or no agent said so. */
  async fault(): Promise<FaultRead | undefined> {
    return readFault(await this.ended);
  }

  beat(): this {
    this.#call.write({ message: { $case: "heartbeat", value: {} } });
    return this;
  }

  /** The heart stops, and nothing else. */
  stopBeating(): void {
    clearInterval(this.#heart);
  }

  /** Resets the stream; its connection stays. */
  cancel(): void {
    this.#call.cancel();
  }

  /** Ends it, if it has not ended. */
  close(): void {
    this.cancel();
  }

  /** Says that nothing more will be sent. It is not an end. */
  halfClose(): void {
    this.#call.end();
  }

  #hear(response: PrepareResponse): void {
    const { agentId, event } = response;
    switch (event?.$case) {
      case "prepared":
        this.prepared = { ...event.value, agentId };
        return;
      case "phase":
        this.phases.push(event.value.phase);
        return;
      case "landed":
        this.landed = true;
        return;
      default:
        this.events.push(response);
    }
  }
}
