/* Calls any method by name, with JSON in and JSON out: for looking, and for trying the contract. */
import { createInterface } from "node:readline";
import { type Agent, connectHost, type Host } from "@ferry/client";
import { type Command, Option } from "commander";
import { PLAIN_EXIT_HELP } from "../exit.js";
import { at, Failure } from "../failure.js";
import type { Fleet } from "../fleet.js";
import { type Callable, Contract, short } from "../proto.js";
import { type Shell, traceparentOf, withFleet } from "../shell.js";
import { parseTimeout } from "../units.js";

interface Flags {
  readonly host?: string;
  readonly agent?: string;
  readonly address?: string;
  readonly timeout?: number;
}

/** Services that only one of a host's two agents has. */
const HOMES: Readonly<Record<string, "source" | "destination">> = {
  "ferry.v1.SourceService": "source",
  "ferry.v1.GuestService": "source",
  "ferry.v1.DestinationService": "destination",
  "ferry.v1.PeerService": "destination",
};

export function addCall(program: Command, shell: Shell): void {
  program
    .command("call")
    .description("Calls any method of the contract: JSON in, JSON out, one line per answer.")
    .argument("<method>", 'e.g. "Begin", "GuestService.List", "ferry.v1.AgentService/GetInfo"')
    .argument(
      "[json]",
      'the request; "-" reads stdin, one request per line where the method takes a stream',
      "{}",
    )
    .option("--host <host>", "which host of the hosts file")
    .addOption(
      new Option("--agent <which>", "which of its agents, where both have the method")
        .choices(["source", "destination"])
        .default("source"),
    )
    .addOption(
      new Option("--address <host:port>", "this address instead, in plaintext").conflicts("host"),
    )
    .option(
      "--timeout <time>",
      'gives up after this time, e.g. "5s"; a stream then ends',
      parseTimeout,
    )
    .addHelpText(
      "after",
      `
Fields are spelled as in the .proto files (snake_case), enums are words, 64-bit numbers may be strings.
A stream of requests stays open until stdin ends and the agent has answered; Prepare's is the tether.

Example:
  ferry call GetInfo --host a
  ferry call Begin '{"migration_id":"0b7d3f6e-5a51-4c6f-9c1d-6f6d3ad7c1a4","guest_id":"vm1","validate_only":true}' --host a
  ferry call ListMigrations --host b --agent destination

${PLAIN_EXIT_HELP}`,
    )
    .action(async (name: string, json: string, flags: Flags, command: Command) => {
      const contract = new Contract();
      const method = contract.find(name);
      const requests = readRequests(json, method, contract);
      const { address, timeout } = flags;
      if (address !== undefined) {
        const traceparent = traceparentOf(command);
        const both = { source: address, destination: address };
        const host = connectHost({ ...both, traceparent, plaintext: true });
        try {
          await call(host.source, method, requests, timeout, shell);
        } finally {
          host.close();
        }
        return;
      }
      await withFleet(command, (fleet) =>
        call(agentOf(fleet, method, flags), method, requests, timeout, shell),
      );
    });
}

function agentOf(fleet: Fleet, method: Callable, flags: Flags): Agent {
  const name = flags.host ?? (fleet.names.length === 1 ? fleet.names[0] : undefined);
  if (name === undefined) {
    throw new Failure("which host?", `Name it with --host, one of ${fleet.names.join(", ")}.`);
  }
  const host: Host = fleet.host(name);
  const end = HOMES[method.service] ?? flags.agent;
  return end === "destination" ? host.destination : host.source;
}

/** Requests, each checked before anything is sent. */
async function* readRequests(
  json: string,
  method: Callable,
  contract: Contract,
): AsyncGenerator<object> {
  const check = (text: string): object => {
    const value = parse(text);
    contract.check(value, method.request);
    return value as object; // checked above
  };
  if (json !== "-") {
    yield check(json);
    return;
  }
  if (!method.requestStream) {
    let text = "";
    for await (const piece of process.stdin) text += String(piece);
    yield check(text);
    return;
  }
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() !== "") yield check(line);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure(
      `the request is no JSON: ${why}`,
      'Quote it for the shell: \'{"guest_id":"vm1"}\'',
    );
  }
}

async function call(
  agent: Agent,
  method: Callable,
  requests: AsyncGenerator<object>,
  timeoutMs: number | undefined,
  shell: Shell,
): Promise<void> {
  const ends = timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)];
  if (method.responseStream) ends.push(shell.unread); // the one answer of another method is still awaited
  const limit = ends.length === 0 ? undefined : AbortSignal.any(ends);
  const where = `${short(method)} at ${agent.address}`;
  try {
    if (method.requestStream) {
      await converse(agent, method, requests, limit, shell);
      return;
    }
    const first = await requests.next();
    const request: object = first.done === true ? {} : first.value;
    if (method.responseStream) {
      for await (const answer of agent.watch(method, request, { signal: limit }))
        shell.json(answer);
    } else {
      shell.json(await at(where, agent.unary(method, request, { signal: limit })));
    }
  } catch (error) {
    if (limit?.aborted === true && method.responseStream) return; // it was to end then
    if (error instanceof Failure) throw error;
    throw await at(where, Promise.reject(error)).catch((failure: unknown) => failure);
  }
}

async function converse(
  agent: Agent,
  method: Callable,
  requests: AsyncGenerator<object>,
  limit: AbortSignal | undefined,
  shell: Shell,
): Promise<void> {
  const stream = agent.duplex(method);
  const ended = new Promise<void>((resolve, reject) => {
    stream.on("data", (answer: object) => shell.json(answer));
    stream.on("end", resolve);
    stream.on("error", reject);
  });
  ended.catch(() => {}); // awaited below, perhaps after it failed
  limit?.addEventListener("abort", () => stream.cancel());
  const sent = (async () => {
    for await (const request of requests) stream.write(request);
    stream.end();
  })();
  try {
    await Promise.race([ended, sent.then(() => ended)]); // an agent may end it while stdin is open
  } finally {
    stream.cancel();
    sent.catch(() => {}); // what it wanted to send is of no interest any more
    process.stdin.destroy();
  }
}
