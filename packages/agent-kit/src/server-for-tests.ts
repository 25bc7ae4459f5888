/* For tests: an agent's server with handlers of the test's own, on a real socket, and clients for it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  type ListMigrationsRequest,
  type ListMigrationsResponse,
  type MeetRequest,
  type MeetResponse,
  MigrationServiceClient,
  MigrationServiceService,
  PeerServiceClient,
  PeerServiceService,
  type WatchMigrationsRequest,
  type WatchMigrationsResponse,
} from "@ferry/contract";
import { ChannelCredentials } from "@grpc/grpc-js";
import { serve } from "./agent-server.js";
import type { Certificates } from "./certificates.js";
import { parseConfig } from "./config-file.js";
import { makeLogger } from "./logs.js";
import { makeMetrics } from "./metrics.js";
import { BUILT_IN, type Policy } from "./policy.js";
import type { BidiCall, CallContext } from "./server.js";

export interface Handlers {
  readonly list?: (
    request: ListMigrationsRequest,
    context: CallContext,
  ) => Promise<ListMigrationsResponse>;
  readonly watch?: (
    request: WatchMigrationsRequest,
    context: CallContext,
  ) => AsyncIterable<WatchMigrationsResponse>;
  readonly meet?: (call: BidiCall<MeetRequest, MeetResponse>) => Promise<void>;
}

export interface RigOptions {
  readonly handlers?: Handlers;
  /** YAML, beside the address and plaintext. */
  readonly config?: string;
  readonly certificates?: Certificates;
  readonly policy?: Policy;
  /** Left in `starting`. */
  readonly starting?: boolean;
}

export const AGENT_ID = "host-1/destination";

export async function makeRig(t: TestContext, options: RigOptions = {}) {
  const { handlers = {}, certificates } = options;
  const stateDir = mkdtempSync(join(tmpdir(), "ferry-rig-"));
  t.after(() => rmSync(stateDir, { recursive: true, force: true }));
  const config = parseConfig(
    [
      'host_id: host-1\nlisten: "127.0.0.1:0"\nhealth_listen: "127.0.0.1:0"',
      `state_dir: ${stateDir}\nplaintext: ${certificates === undefined}\n${options.config ?? ""}`,
    ].join("\n"),
    "destination",
  );
  const lines: string[] = [];
  const log = makeLogger({ level: "debug", base: {} }, { write: (line) => void lines.push(line) });
  const metrics = makeMetrics({ role: "destination", process: false });
  const server = await serve({
    config,
    role: "destination",
    log,
    metrics,
    certificates,
    policy: { current: options.policy ?? BUILT_IN },
    services: ["ferry.v1.MigrationService", "ferry.v1.PeerService"],
    add: (grpc, { unary, serverStream, bidi }) => {
      grpc.addService(MigrationServiceService, {
        getMigration: unary(() => Promise.reject(new Error("not tried here"))),
        listMigrations: unary(
          handlers.list ?? (async () => ({ agentId: AGENT_ID, migrations: [] })),
        ),
        watchMigrations: serverStream(handlers.watch ?? nothing),
      });
      grpc.addService(PeerServiceService, {
        meet: bidi(handlers.meet ?? (async () => {})),
        tunnel: bidi(async () => {}),
      });
    },
  });
  t.after(() => server.close(0));
  if (options.starting !== true) server.open();

  /** A client with a connection of its own, closed when the test is over. */
  const client = <Client extends { close(): void }>(
    Kind: new (address: string, credentials: ChannelCredentials, options: object) => Client,
    credentials: ChannelCredentials = ChannelCredentials.createInsecure(),
    clientOptions: object = {},
  ): Client => {
    const made = new Kind(`127.0.0.1:${server.port}`, credentials, {
      "grpc.use_local_subchannel_pool": 1,
      ...clientOptions,
    });
    t.after(() => made.close());
    return made;
  };
  return {
    server,
    stateDir,
    metrics,
    log,
    lines,
    client,
    migrations: client(MigrationServiceClient),
    peer: client(PeerServiceClient),
  };
}

async function* nothing(): AsyncGenerator<never> {}
