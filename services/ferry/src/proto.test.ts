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
import { Contract } from "./proto.js";

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

const contract = new Contract();
const methods = new Map(contract.methods.map((method) => [method.path, method]));

test("every method exists in both, with the same path and the same streams", () => {
  const shape = ({ path, requestStream, responseStream }: Generated) =>
    `${path} ${requestStream} ${responseStream}`;
  assert.deepEqual(
    contract.methods.map((method) => `${method.path} ${method.requestStream} ${method.responseStream}`).sort(),
    GENERATED.map(shape).sort(),
  );
});

describe("messages", () => {
  for (const generated of GENERATED) {
    const method = methods.get(generated.path);
    test(`${generated.path}: requests and answers mean the same bytes`, () => {
      assert.ok(method !== undefined);
      for (const sample of contract.samples(method.request)) {
        const bytes = method.requestSerialize(sample);
        const again = generated.requestSerialize(generated.requestDeserialize(bytes));
        assert.deepEqual(method.requestDeserialize(again), method.requestDeserialize(bytes));
        assert.deepEqual(pruned(method.requestDeserialize(again), sample), sample);
      }
      for (const sample of contract.samples(method.response)) {
        const bytes = method.responseSerialize(sample);
        const again = generated.responseSerialize(generated.responseDeserialize(bytes));
        assert.deepEqual(method.responseDeserialize(again), method.responseDeserialize(bytes));
        assert.deepEqual(pruned(method.responseDeserialize(again), sample), sample);
      }
    });
  }
});
