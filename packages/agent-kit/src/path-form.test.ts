import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@ferry/contract";
import { checkAddress } from "./path-form.js";

const aim = (destinationAddress: string) => ({
  destinationAddress,
  destinationAgentId: "host-2/destination",
});

test("an address is a host and a port, however the host is written", () => {
  for (const address of ["10.0.0.2:7702", "[fd00::2]:7702", "host-2.example:7702", "localhost:1"]) {
    assert.deepEqual(checkAddress(aim(address)), aim(address));
  }
});

test("what a caller's own library would dial and no other is refused, and shown", () => {
  for (const address of [
    "dns:///host-2:7702",
    "ipv4:10.0.0.2:7702",
    "https://host-2:7702",
    "fd00::2:7702",
    "host-2",
    "host-2:0",
    "",
  ]) {
    assert.throws(
      () => checkAddress(aim(address)),
      (error) =>
        error instanceof Fault &&
        error.reason === "INVALID_REQUEST" &&
        error.message.endsWith(`with nothing before it, not ${JSON.stringify(address)}`),
      address,
    );
  }
});
