/*
 * For tests: two agents that say what a script tells them to. They listen on real sockets and speak
 * real gRPC, so lost answers and broken streams are the real thing. A script has, for each call, the
 * answers in order; the last one is given for ever. Nothing here knows the protocol.
 */
import {
  AbortOutcome,
  type AbortRequest,
  type BeginRequest,
  type BeginResponse,
  type Blocker,
  type ConfirmRequest,
  DestinationServiceService,
  Fault,
  type FaultReason,
  FinishOrder,
  type FinishRequest,
  type PathFound,
  type PerformRequest,
  type PerformResponse,
  type PrepareRequest,
  type PrepareResponse,
  REQUEST_ID_KEY,
  Role,
  SourceServiceService,
  TRACEPARENT_KEY,
  Transport,
  toStatus,
} from "@ferry/contract";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import type { FinalVerdict } from "./decide.js";
import { addGuestReads, addMigrationReads, VERDICTS } from "./fake-reads.js";

type Details = ConstructorParameters<typeof Fault>[2];
/** How long a test waits for something to be heard. */
const PATIENCE_MS = 10_000;

/** "lose": the order is heard, the answer is not. */
export type Lost = "lose" | "never" | { readonly code: number };

export type BeginAnswer = "ok" | Lost | Fault;
export type VerdictAnswer = FinalVerdict | "pending" | Lost | Fault | Promise<FinalVerdict>;
export type AbortAnswer = "aborted" | "underWay" | "tooLate" | Lost | Fault;
export type Step<Word> = Word | Promise<unknown> | Lost | Fault;
export type PrepareStep = Step<
  "accepted" | "prepared" | "validated" | "beat" | "landed" | "ok" | `phase ${string}`
>;
export type PerformStep = Step<"bound" | "progress" | "released" | "failed" | "end">;

/** Each call's answers, in order. A stream's answer is a list of steps; a promise in it is waited for. */
export interface Script {
  begin?: BeginAnswer[];
  prepare?: PrepareStep[][];
  perform?: PerformStep[][];
  /** Finish(land). */
  finish?: VerdictAnswer[];
  /** Finish(abandon). */
  abandon?: VerdictAnswer[];
  abort?: AbortAnswer[];
  confirm?: VerdictAnswer[];
  leaseMs?: number;
  downtimeMs?: number;
  /** Names of the guests that live on the source. */
  guests?: string[];
  /** What stands in the way at either end, for validate_only. */
  /** What trying the way between them comes to. */
  path?: PathFound;
  blockers?: { source?: Blocker[]; destination?: Blocker[] };
}

export interface CallNamed {
  readonly path: string;
  readonly traceparent: string | undefined;
  readonly requestId: string | undefined;
}

export function fault(reason: FaultReason, details?: Details): Fault {
  return new Fault(reason, `the fake says ${reason}`, details);
}

export class FakeAgents {
  source = "";
  destination = "";
  /** What was asked, in order: "begin", "finish", "abandon", … */
  readonly heard: string[] = [];
  readonly requests: {
    begin: BeginRequest[];
    prepare: PrepareRequest[];
    perform: PerformRequest[];
    finish: FinishRequest[];
    abort: AbortRequest[];
    confirm: ConfirmRequest[];
  } = { begin: [], prepare: [], perform: [], finish: [], abort: [], confirm: [] };
  /** What each call was called by its caller, whether it is one of the script's or not, in order. */
  readonly named: CallNamed[] = [];
  /** Resolves when the first tether ended on this side, for whatever reason. */
  readonly tetherCut: Promise<void>;
  tetherOpen = false;
  #cut: () => void = () => {};
  readonly #turns = new Map<string, number>();
  readonly #waiting: { name: string; times: number; resolve: () => void }[] = [];
  #servers: Server[] = [];

  constructor(readonly script: Script) {
    this.tetherCut = new Promise((resolve) => {
      this.#cut = resolve;
    });
  }

  /** The source on `sourceAt` ("host:port"), where another one was before. */
  async listen(credentials = ServerCredentials.createInsecure(), sourceAt?: string): Promise<this> {
    const source = this.#server();
    source.addService(SourceServiceService, {
      begin: this.#unary("begin", (answer) => this.#begun(answer)),
      perform: (call: ServerWritableStream<PerformRequest, PerformResponse>) => {
        this.requests.perform.push(call.request);
        void this.#play("perform", call, performEvent);
      },
      confirm: this.#unary("confirm", (verdict) => ({
        agentId: "a/source",
        verdict: VERDICTS[verdict as FinalVerdict],
        phase: "",
        settled: verdict !== "pending",
        reason: "",
      })),
      abort: this.#unary("abort", (outcome) => ({
        agentId: "a/source",
        outcome: ABORTS[outcome as keyof typeof ABORTS],
        phase: "",
      })),
    });
    addGuestReads(source, this.script);
    addMigrationReads(source, Role.SOURCE, this.script);
    const destination = this.#server();
    destination.addService(DestinationServiceService, {
      prepare: (call: ServerDuplexStream<PrepareRequest, PrepareResponse>) => this.#prepare(call),
      finish: this.#unary("finish", (verdict) => ({
        agentId: "b/destination",
        verdict: VERDICTS[verdict as FinalVerdict],
        cause: 0,
        phase: "",
        reason: "",
      })),
    });
    addMigrationReads(destination, Role.DESTINATION, this.script);
    this.source = await this.#bind(source, credentials, sourceAt);
    this.destination = await this.#bind(destination, credentials);
    return this;
  }

  /** Resolves when that call was heard so many times, rejects if it was not in a fair time. */
  times(name: string, times: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`not ${times} times ${name} in ${this.heard.join(" ")}`));
      }, PATIENCE_MS);
      const heard = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.push({ name, times, resolve: heard });
      this.#wake();
    });
  }

  close(): void {
    for (const server of this.#servers) server.forceShutdown();
  }

  /** The next of a call's answers; the last is given for ever. */
  #next<T>(name: keyof Script & string, answers: readonly T[] | undefined): T | undefined {
    const turn = this.#turns.get(name) ?? 0;
    this.#turns.set(name, turn + 1);
    this.heard.push(name);
    this.#wake();
    return answers?.[Math.min(turn, answers.length - 1)];
  }

  #wake(): void {
    for (const { name, times, resolve } of this.#waiting) {
      if (this.heard.filter((each) => each === name).length >= times) resolve();
    }
  }

  #unary(kind: "begin" | "finish" | "abort" | "confirm", answerOf: (word: string) => object) {
    return async (call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>) => {
      (this.requests[kind] as object[]).push(call.request);
      const { order } = call.request as Partial<FinishRequest>;
      const name = kind === "finish" && order === FinishOrder.ABANDON ? "abandon" : kind;
      const answers: readonly (Step<string> | Promise<string>)[] | undefined = this.script[name];
      const answer = await (this.#next(name, answers) ?? "never");
      if (answer instanceof Fault) callback(toStatus(answer));
      else if (typeof answer !== "string") callback({ ...(answer as object), details: "no agent" });
      else if (answer === "lose")
        callback({ code: status.UNAVAILABLE, details: "connection lost" });
      else if (answer !== "never") callback(null, answerOf(answer));
    };
  }

  #begun(_word: string): BeginResponse {
    return {
      agentId: "a/source",
      description: {
        spec: undefined,
        sourceAgentId: "a/source",
        sourceHostId: "a",
        qemuVersion: "7.2.22",
        accelerator: 2,
        cpuProperties: {},
        paused: false,
      },
      leaseMs: this.script.leaseMs ?? 60_000,
      blockers: this.script.blockers?.source ?? [],
      path: this.script.path,
    };
  }

  #prepare(call: ServerDuplexStream<PrepareRequest, PrepareResponse>): void {
    this.tetherOpen = true;
    call.on("data", (request: PrepareRequest) => {
      this.requests.prepare.push(request);
      this.heard.push(request.message?.$case ?? "");
      this.#wake();
    });
    call.on("cancelled", () => {
      this.tetherOpen = false;
      this.#cut();
    });
    const blockers = this.script.blockers?.destination ?? [];
    void this.#play("prepare", call, (word) => prepareEvent(word, blockers));
  }

  /** Plays one stream's steps. */
  async #play<Response>(
    name: "prepare" | "perform",
    call: {
      write(response: Response): unknown;
      end(): unknown;
      emit(event: "error", error: object): unknown;
    },
    eventOf: (word: string) => Response,
  ): Promise<void> {
    const answers: readonly (readonly Step<string>[])[] | undefined = this.script[name];
    for (const step of this.#next(name, answers) ?? []) {
      if (step instanceof Fault) {
        call.emit("error", toStatus(step));
        return;
      }
      if (step instanceof Promise) await step;
      else if (typeof step === "object")
        return void call.emit("error", { ...step, details: "no agent" });
      else if (step === "lose")
        return void call.emit("error", { code: status.UNAVAILABLE, details: "connection lost" });
      else if (step === "end" || step === "ok") return void call.end();
      else if (step !== "never") call.write(eventOf(step));
    }
    if (name === "perform") call.end();
  }

  #server(): Server {
    const look: ServerInterceptor = ({ path }, call) =>
      new ServerInterceptingCall(call, {
        start: (next) =>
          next({
            onReceiveMetadata: (metadata, pass) => {
              const text = (key: string) => metadata.get(key)[0]?.toString();
              const [traceparent, requestId] = [text(TRACEPARENT_KEY), text(REQUEST_ID_KEY)];
              this.named.push({ path, traceparent, requestId });
              pass(metadata);
            },
          }),
      });
    return new Server({ interceptors: [look] });
  }

  async #bind(server: Server, credentials: ServerCredentials, at = "127.0.0.1:0"): Promise<string> {
    this.#servers.push(server);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(at, credentials, (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    return `127.0.0.1:${port}`;
  }
}

const ABORTS = {
  aborted: AbortOutcome.ABORTED,
  underWay: AbortOutcome.UNDER_WAY,
  tooLate: AbortOutcome.TOO_LATE,
};

function prepareEvent(word: string, blockers: Blocker[]): PrepareResponse {
  const agentId = "b/destination";
  if (word === "validated")
    return { agentId, event: { $case: "validated", value: { blockers, peerAddress: "" } } };
  if (word === "prepared") {
    const value = {
      peerAddress: "",
      tetherExpiresAt: undefined,
      warnings: [],
      keepaliveBoundMs: 0,
    };
    return { agentId, event: { $case: "prepared", value } };
  }
  if (word === "accepted")
    return { agentId, event: { $case: "accepted", value: { peerAddress: "" } } };
  if (word === "landed") return { agentId, event: { $case: "landed", value: { guestId: "vm1" } } };
  if (word === "beat") return { agentId, event: { $case: "beat", value: {} } };
  return { agentId, event: { $case: "phase", value: { phase: word.replace("phase ", "") } } };
}

const PROGRESS = {
  transferredBytes: 60n,
  remainingBytes: 40n,
  totalBytes: 100n,
  dirtyBytesPerSecond: 1n,
  transferBytesPerSecond: 10n,
  iteration: 1,
  ratio: 0.6,
  eta: { $case: "etaMs" as const, value: 4000n },
  expectedDowntimeMs: 20n,
};

function performEvent(word: string): PerformResponse {
  const base = { agentId: "a/source", phase: word === "released" ? "released" : "performing" };
  switch (word) {
    case "bound":
      return { ...base, event: { $case: "bound", value: { transport: Transport.DIRECT } } };
    case "progress":
      return { ...base, event: { $case: "progress", value: PROGRESS } };
    case "released": {
      const value = { progress: PROGRESS, qemuDowntimeMs: 7n };
      return { ...base, event: { $case: "released", value } };
    }
    default: {
      const value = { reason: "DESTINATION_LOST", description: "it fell silent", guestKept: true };
      return { ...base, event: { $case: "failed", value } };
    }
  }
}

/** For `await once(...)` users of this file: a step that ends when told. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
