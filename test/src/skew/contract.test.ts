/*
 * Goal: a controller that was built for the previous release drives this one. Method: a client made of
 * the descriptors that were committed with that release (proto/baseline.binpb), and of nothing that is
 * generated today, takes the five steps; what it does not know it must not need.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Client, credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer } from "@grpc/proto-loader";
import { TestGuest, tickerFolder, tickerSpec } from "../harness/guests.js";
import { Hosts } from "../harness/hosts.js";

const BASELINE = fileURLToPath(new URL("../../../proto/baseline.binpb", import.meta.url));
const OPTIONS = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };

/** What the previous release's client makes of a message. */
type Message = Record<string, unknown>;
type Stream = AsyncIterable<Message> & {
  write(message: Message): void;
  cancel(): void;
  on(event: "error", heard: () => void): void;
};
type Method = (
  request: Message,
  answered?: (error: Error | null, answer: Message) => void,
) => Stream;
type Previous = Client & Record<string, Method>;
type Services = Record<string, new (address: string, ...rest: unknown[]) => Previous>;

let hosts: Hosts;
const open: Previous[] = [];
before(async () => {
  hosts = await Hosts.start({ patient: true, allowedPaths: [tickerFolder] });
});
after(async () => {
  for (const client of open) client.close();
  await hosts?.close();
});

function client(service: string, address: string): Previous {
  const loaded = loadPackageDefinition(
    loadFileDescriptorSetFromBuffer(readFileSync(BASELINE), OPTIONS),
  );
  const { v1 } = loaded.ferry as unknown as { v1: Services }; // what the descriptors say
  const made = v1[service];
  assert.ok(made, `the previous release has ${service}`);
  const it = new made(address, credentials.createInsecure());
  open.push(it);
  return it;
}

function unary(from: Previous, method: string, request: Message): Promise<Message> {
  return new Promise((resolve, reject) => {
    from[method]?.call(from, request, (error: Error | null, answer: Message) =>
      error === null ? resolve(answer) : reject(error),
    );
  });
}

/** Reads until a message has that event. */
async function heard(messages: AsyncIterator<Message>, event: string): Promise<Message> {
  const seen: unknown[] = [];
  for (;;) {
    const { value, done } = (await messages.next()) as IteratorResult<Message, undefined>;
    if (done === true) throw new Error(`no ${event}: ${JSON.stringify(seen)}`);
    seen.push(value.event);
    if (value.event === event) return value;
  }
}

test("the previous release's controller moves a guest in the five steps", async () => {
  const [from, to] = hosts.pair;
  const guest = await TestGuest.start(from, tickerSpec("old", { ram: 8, check: 64 }));
  await guest.ticksOn();
  const source = client("SourceService", `${from.address}:7701`);
  const destination = client("DestinationService", `${to.address}:7702`);
  const migration_id = randomUUID();

  const begun = await unary(source, "begin", { migration_id, guest_id: "old" });
  const tether = destination.prepare?.call(destination, {}) as Stream;
  tether.on("error", () => {}); // told by what is read
  tether.write({ open: { migration_id, description: begun.description } });
  const news = tether[Symbol.asyncIterator]();
  const prepared = await heard(news, "prepared");
  const view = source.perform?.call(source, {
    migration_id,
    destination_address: `${to.address}:7702`,
    destination_agent_id: prepared.agent_id,
  }) as Stream;
  view.on("error", () => {});
  const copy = view[Symbol.asyncIterator]();
  await heard(copy, "bound");
  const finished = await unary(destination, "finish", {
    migration_id,
    order: "FINISH_ORDER_LAND",
    wait_ms: 60_000,
  });
  assert.equal(finished.verdict, "VERDICT_LANDED");
  const confirmed = await unary(source, "confirm", { migration_id, wait_ms: 60_000 });
  assert.deepEqual([confirmed.verdict, confirmed.settled], ["VERDICT_LANDED", true]);
  await guest.livesAt(to);
  await guest.memoryIsWhole();
  await to.client.guests.stop("old", { graceMs: 0 });
});

test("words that this release does not know are passed over", async () => {
  const [from] = hosts.pair;
  // Field 1999 of BeginRequest, as some later release may send it.
  const later = Buffer.concat([Buffer.from([0xfa, 0x7c, 0x03]), Buffer.from("new")]);
  const source = client("SourceService", `${from.address}:7701`);
  const answered = await new Promise<Error | null>((resolve) => {
    source.makeUnaryRequest(
      "/ferry.v1.SourceService/Begin",
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.concat([
        later,
        Buffer.from([0x12, 36]),
        Buffer.from(randomUUID()),
        Buffer.from([0x1a, 6]),
        Buffer.from("nobody"),
      ]),
      (error) => resolve(error),
    );
  });
  assert.match(String(answered), /NOT_FOUND/, "it was read: there is no such guest");
});
