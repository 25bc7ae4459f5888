/* For tests: what the scripted agents know of guests, migrations and themselves. */
import {
  AgentServiceService,
  Fault,
  GetInfoResponse,
  Guest,
  GuestServiceService,
  GuestState,
  Migration,
  MigrationServiceService,
  Role,
  StopOutcome,
  toStatus,
  Verdict,
} from "@ferry/contract";
import type { Server, ServerUnaryCall, ServerWritableStream, sendUnaryData } from "@grpc/grpc-js";
import type { FinalVerdict } from "./decide.js";
import type { Script } from "./fake-agents.js";

export const VERDICTS = {
  landed: Verdict.LANDED,
  returned: Verdict.RETURNED,
  perished: Verdict.PERISHED,
  pending: Verdict.PENDING,
};

type Named = ServerUnaryCall<{ guestId: string }, object>;

export function addGuestReads(server: Server, { guests = [] }: Script): void {
  const agentId = "a/source";
  const describe = (guestId: string, state = GuestState.RUNNING) =>
    Guest.fromPartial({ guestId, state, qemuVersion: "7.2.22", spec: { vcpus: 1 } });
  const answer =
    (state: GuestState) =>
    ({ request }: Named, callback: sendUnaryData<object>) =>
      callback(null, { agentId, guest: describe(request.guestId, state) });
  const { get, list, pause, resume, start, stop } = GuestServiceService;
  server.addService(
    { get, list, pause, resume, start, stop },
    {
      get: answer(GuestState.RUNNING),
      pause: answer(GuestState.PAUSED),
      resume: answer(GuestState.RUNNING),
      list: (_call: unknown, callback: sendUnaryData<object>) =>
        callback(null, { agentId, guests: guests.map((guestId) => describe(guestId)) }),
      start: (
        { request }: ServerUnaryCall<{ spec?: { guestId: string }; paused: boolean }, object>,
        callback: sendUnaryData<object>,
      ) => {
        const state = request.paused ? GuestState.PAUSED : GuestState.RUNNING;
        callback(null, {
          agentId,
          guest: { ...describe("", state), ...request.spec, spec: request.spec },
        });
      },
      stop: (_call: unknown, callback: sendUnaryData<object>) =>
        callback(null, { agentId, outcome: StopOutcome.POWERED_DOWN }),
    },
  );
}

export function addMigrationReads(server: Server, role: Role, script: Script): void {
  const describe = (migrationId: string): Migration | undefined => {
    const verdict = script.finish?.at(-1);
    if (verdict === undefined) return undefined;
    const { downtimeMs } = script;
    return Migration.fromPartial({
      migrationId,
      guestId: "vm1",
      role,
      phase: role === Role.SOURCE ? "performing" : "receiving",
      verdict: VERDICTS[verdict as FinalVerdict] ?? Verdict.PENDING,
      settled: verdict === "landed" || verdict === "returned",
      ...(downtimeMs === undefined
        ? {}
        : { downtime: { $case: "downtimeMs" as const, value: BigInt(downtimeMs) } }),
    });
  };
  const { getMigration, listMigrations, watchMigrations } = MigrationServiceService;
  server.addService(
    { getMigration, listMigrations, watchMigrations },
    {
      getMigration: (
        { request }: ServerUnaryCall<{ migrationId: string }, object>,
        callback: sendUnaryData<object>,
      ) => {
        const migration = describe(request.migrationId);
        if (migration !== undefined) callback(null, { agentId: "", migration });
        else callback(toStatus(new Fault("MIGRATION_UNKNOWN", "no such migration is known")));
      },
      listMigrations: (_call: unknown, callback: sendUnaryData<object>) => {
        const migration = describe("");
        callback(null, { agentId: "", migrations: migration === undefined ? [] : [migration] });
      },
      /** The migration as it is; then the stream stays open. */
      watchMigrations: (call: ServerWritableStream<{ migrationId: string }, object>) => {
        const migration = describe(call.request.migrationId || "m1");
        if (migration !== undefined) call.write({ agentId: "", migration });
      },
    },
  );
  server.addService(
    { getInfo: AgentServiceService.getInfo },
    {
      getInfo: (_call: unknown, callback: sendUnaryData<GetInfoResponse>) => {
        const agentId = role === Role.SOURCE ? "a/source" : "b/destination";
        const limits = { arrivalsMax: 8, departuresMax: 8, memoryAvailableBytes: 2n ** 40n };
        const ports = { portFirst: 49_152, portLast: 49_215 };
        const version = "0.1.0";
        callback(
          null,
          GetInfoResponse.fromPartial({ agentId, role, version, limits: { ...limits, ...ports } }),
        );
      },
    },
  );
}
