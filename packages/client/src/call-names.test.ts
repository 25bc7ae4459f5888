import assert from "node:assert/strict";
import { test } from "node:test";
import { REQUEST_ID_KEY, TRACEPARENT_KEY } from "@ferry/contract";
import { Metadata } from "@grpc/grpc-js";
import { CallNames, named, requestIdOf } from "./call-names.js";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

test("every call has an id of its own, and the agent's trace unless it names one", () => {
  const names = new CallNames(TRACE);
  const [one, two] = [names.next(undefined), names.next(OTHER)];
  assert.notDeepEqual(one.get(REQUEST_ID_KEY), two.get(REQUEST_ID_KEY));
  assert.deepEqual([one.get(TRACEPARENT_KEY), two.get(TRACEPARENT_KEY)], [[TRACE], [OTHER]]);
});

test("what is no traceparent is not sent, whatever is in it", () => {
  for (const broken of ["", "00-1-2-01", "nönsense", "a\nb"]) {
    assert.deepEqual(new CallNames(broken).next(undefined).get(TRACEPARENT_KEY), []);
  }
});

test("an error carries the id that the agent said, or else the one that was sent", () => {
  const call = new CallNames(undefined).next(undefined);
  const [sent] = call.get(REQUEST_ID_KEY);
  assert.equal(requestIdOf(named({ metadata: new Metadata() }, call)), sent);
  const said = new Metadata();
  said.set(REQUEST_ID_KEY, "as-the-agent-has-it");
  assert.equal(requestIdOf(named({ metadata: said }, call)), "as-the-agent-has-it");
  assert.equal(requestIdOf(named(new Error("of no call"), call)), undefined);
});
