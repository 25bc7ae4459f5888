/*
 * Goal: the .proto files that are shipped and the generated code that runs mean the same bytes.
 * Method: a sample of every message with every field set, one for each arm of each oneof, goes from
 * proto-loader's encoder through the generated codec and back, and must come out as it went in.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  AgentServiceService,
  DestinationServiceService,
  GuestServiceService,
  MigrationServiceService,
  PeerServiceService,
  SourceServiceService,
} from "@ferry/contract";
import type { AnyDefinition, MessageTypeDefinition } from "@grpc/proto-loader";
import { Contract, isService, loadContract } from "./proto.js";

/** One method, as the generated code has it. */
interface Generated {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  requestSerialize(value: object): Buffer;
  requestDeserialize(bytes: Buffer): object;
  responseSerialize(value: object): Buffer;
  responseDeserialize(bytes: Buffer): object;
}

// The generated definitions differ in their messages' types alone; a sample is checked by its bytes.
const GENERATED = [
  AgentServiceService,
  DestinationServiceService,
  GuestServiceService,
  MigrationServiceService,
  PeerServiceService,
  SourceServiceService,
].flatMap((service) => Object.values(service) as unknown as Generated[]);

const loaded = loadContract();
const methods = Object.values(loaded).flatMap((each) =>
  isService(each) ? Object.values(each) : [],
);

test("every method exists in both, with the same path and the same streams", () => {
  const shape = (method: { path: string; requestStream: boolean; responseStream: boolean }) =>
    `${method.path} ${method.requestStream} ${method.responseStream}`;
  assert.deepEqual(methods.map(shape).sort(), GENERATED.map(shape).sort());
});

describe("messages mean the same bytes", () => {
  for (const generated of GENERATED) {
    test(generated.path, () => {
      const method = methods.find(({ path }) => path === generated.path);
      assert.ok(method !== undefined);
      for (const sample of samplesOf(method.requestType as Message)) {
        const bytes = method.requestSerialize(sample);
        const here = method.requestDeserialize(bytes);
        contains(here, sample);
        const there = generated.requestSerialize(generated.requestDeserialize(bytes));
        assert.deepEqual(method.requestDeserialize(there), here);
      }
      for (const sample of samplesOf(method.responseType as Message)) {
        const bytes = method.responseSerialize(sample);
        const here = method.responseDeserialize(bytes);
        contains(here, sample);
        const there = generated.responseSerialize(generated.responseDeserialize(bytes));
        assert.deepEqual(method.responseDeserialize(there), here);
      }
    });
  }
});

test("a field the message does not have is refused, at any depth", () => {
  const contract = new Contract(loaded);
  const { request } = contract.find("GuestService.Start");
  contract.check({ spec: { guest_id: "vm1", disks: [{ path: "/a" }] }, paused: true }, request);
  assert.throws(() => contract.check({ guest: 1 }, request), /has no field guest/);
  const deep = { spec: { disks: [{ file: "/a" }] } };
  assert.throws(() => contract.check(deep, request), /spec\.disks has no field file/);
  assert.throws(() => contract.check([], request), /an object is wanted/);
});

test("a value of another kind is refused, which the encoder would take for something", () => {
  const contract = new Contract(loaded);
  const { request } = contract.find("Finish");
  const override = { fenced_host: "a", accept_older_memory: true };
  contract.check({ order: "FINISH_ORDER_LAND", wait_ms: 0, override }, request);
  contract.check({ order: 1, override: null }, request);
  for (const [wrong, told] of [
    [{ order: "LAND" }, /FinishRequest\.order: "LAND" is none of its values/],
    [{ order: 77 }, /FinishRequest\.order: 77/],
    [{ override: { accept_older_memory: "no" } }, /override\.accept_older_memory: "no"/],
    [{ migration_id: 3 }, /migration_id: 3/],
    [{ wait_ms: -1 }, /wait_ms: -1/],
    [{ wait_ms: [1] }, /wait_ms: one value, no list/],
    [{ override: [] }, /override: one value, no list/],
  ] as const) {
    assert.throws(() => contract.check(wrong, request), told);
  }
  const perform = contract.find("Perform").request;
  contract.check({ bandwidth_bytes_per_second: "18446744073709551615" }, perform);
  contract.check({ bandwidth_bytes_per_second: 1 }, perform);
  for (const wrong of ["many", "-1", -1, 1.5, 2 ** 53, "18446744073709551616", ""]) {
    assert.throws(
      () => contract.check({ bandwidth_bytes_per_second: wrong }, perform),
      /bandwidth_bytes_per_second: .* is none of its values/,
    );
  }
});

test("what one method answers another one takes as it is", () => {
  const begun = methods.find(({ path }) => path.endsWith("/Begin"));
  assert.ok(begun !== undefined);
  const kernel = { path: "/vmlinuz", command_line: "quiet" };
  const sent = { description: { spec: { guest_id: "vm1", kernel, memory_bytes: "1048576" } } };
  const { description } = begun.responseDeserialize(begun.responseSerialize(sent)) as typeof sent;
  const contract = new Contract(loaded);
  const { request } = contract.find("Prepare");
  contract.check({ open: { description } }, request);
  const mixed = { ...description.spec, boot: "firmware" };
  assert.throws(
    () => contract.check({ open: { description: { spec: mixed } } }, request),
    /spec has no field boot/,
  );
});

test("a method is found by its shortest name that is one method's", () => {
  const contract = new Contract(loaded);
  assert.equal(contract.find("begin").path, "/ferry.v1.SourceService/Begin");
  assert.equal(contract.find("GuestService.List").path, "/ferry.v1.GuestService/List");
  assert.equal(
    contract.find("ferry.v1.AgentService/GetInfo").path,
    "/ferry.v1.AgentService/GetInfo",
  );
  assert.throws(() => contract.find("Begone"), /no method Begone/);
});

type Message = MessageTypeDefinition<object, object>;

interface Field {
  readonly name: string;
  readonly type: string;
  readonly typeName: string;
  readonly label: string;
  /** Set where the field is an arm of a oneof. */
  readonly oneofIndex?: number;
}

interface Descriptor {
  readonly field: readonly Field[];
  readonly oneofDecl: readonly { readonly name: string }[];
  readonly value?: readonly { readonly name: string }[];
}

const SCALARS: Readonly<Record<string, unknown>> = {
  TYPE_STRING: "sample",
  TYPE_BOOL: true,
  TYPE_DOUBLE: 0.25,
  TYPE_UINT32: 4_000_000_000,
  TYPE_INT32: -7,
  TYPE_UINT64: "9007199254740993", // beyond what a double holds
  TYPE_FIXED64: "18446744073709551615",
  TYPE_INT64: "5",
  TYPE_BYTES: "AQID",
};

/** Every field set; one sample for each arm of each oneof. */
function samplesOf(message: Message): object[] {
  const { field } = message.type as Descriptor;
  const arms = new Set(field.map(({ oneofIndex }) => oneofIndex ?? -1));
  const longest = Math.max(1, ...[...arms].map((arm) => armsOf(field, arm).length));
  return Array.from({ length: longest }, (_, turn) => {
    const chosen = field.filter(({ oneofIndex }, at) => {
      if (oneofIndex === undefined || oneofIndex < 0) return true;
      const choices = armsOf(field, oneofIndex);
      return choices[turn % choices.length] === field[at];
    });
    return Object.fromEntries(chosen.map((each) => [each.name, sampleOf(each)]));
  });
}

function armsOf(field: readonly Field[], arm: number): readonly Field[] {
  return arm < 0 ? [] : field.filter(({ oneofIndex }) => oneofIndex === arm);
}

function sampleOf(field: Field): unknown {
  if (isMap(field)) return { key: "value" };
  const one = oneOf(field);
  return field.label === "LABEL_REPEATED" ? [one, one] : one;
}

/** proto-loader's descriptors name a map's entries, and do not describe them. */
function isMap({ type, typeName }: Field): boolean {
  return type === "TYPE_MESSAGE" && find(typeName) === undefined;
}

function oneOf({ type, typeName, name }: Field): unknown {
  if (type === "TYPE_ENUM") return (named(typeName).type as Descriptor).value?.at(-1)?.name;
  if (typeName.endsWith("Timestamp")) return { seconds: "1700000000", nanos: 250_000_000 };
  if (type === "TYPE_MESSAGE") return samplesOf(named(typeName) as Message)[0];
  const scalar = SCALARS[type];
  assert.ok(scalar !== undefined, `${name}: no sample for ${type}`);
  return scalar;
}

function named(typeName: string): { readonly type: object } {
  const found = find(typeName);
  assert.ok(found !== undefined && !isService(found), `no type ${typeName}`);
  return found;
}

function find(typeName: string): AnyDefinition | undefined {
  const wanted = typeName.replace(/^\./, "");
  return Object.entries(loaded).find(
    ([name]) => name === wanted || name.endsWith(`.${wanted}`),
  )?.[1];
}

/** Everything in the sample must be there: an encoder drops what it does not know. */
function contains(actual: unknown, sample: unknown): void {
  if (typeof sample !== "object" || sample === null) {
    assert.deepEqual(actual, sample);
    return;
  }
  for (const [name, value] of Object.entries(sample)) {
    contains((actual as Record<string, unknown>)[name], value);
  }
}
