/*
 * Goal: no call of the contract is forgotten, and each role may make exactly the calls it is for.
 * Method: walk the contract itself, as reflection serves it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { loadDescriptorSet } from "@ferry/contract";
import { accessTo, accessToAsk, isAllowed } from "./permissions.js";
import { ROLES, type Role } from "./policy.js";

const CALLS = fromBinary(FileDescriptorSetSchema, loadDescriptorSet()).file.flatMap((file) =>
  file.service.flatMap((service) =>
    service.method.map((method) => `/${file.package}.${service.name}/${method.name}`),
  ),
);
const LOOKING = /\/(Get|List|Watch)/;

function callsOf(role: Role): string[] {
  return CALLS.filter((path) => path.startsWith("/ferry.") && isAllowed(accessTo(path), [role]));
}

test("every call of the contract is somebody's", () => {
  assert.ok(CALLS.length > 20);
  for (const path of CALLS) assert.notDeepEqual(accessTo(path), [], `${path} is in no row`);
});

test("what is not in the contract is nobody's", () => {
  for (const path of ["", "/", "/ferry.v1.SourceService/Begone", "/ferry.v1.SourceService"]) {
    assert.equal(isAllowed(accessTo(path), ROLES), false, path);
  }
});

test("an agent may make agents' calls and no other, and nobody else may make those", () => {
  assert.deepEqual(callsOf("agent"), [
    "/ferry.v1.PeerService/Meet",
    "/ferry.v1.PeerService/Tunnel",
    "/ferry.v1.PeerService/Probe",
  ]);
  for (const role of ["controller", "viewer", "operator"] as const) {
    assert.deepEqual(
      callsOf(role).filter((path) => path.includes("PeerService")),
      [],
    );
  }
});

test("a viewer may look, at everything, and do nothing", () => {
  const looking = CALLS.filter((path) => path.startsWith("/ferry.") && LOOKING.test(path));
  assert.deepEqual(callsOf("viewer"), looking);
});

test("a controller may make every call but the agents'; an operator may do what a controller may", () => {
  const all = CALLS.filter((path) => path.startsWith("/ferry.") && !path.includes("PeerService"));
  assert.deepEqual(callsOf("controller"), all);
  assert.deepEqual(callsOf("operator"), all);
});

test("only an operator stands in for a host, or sweeps", () => {
  assert.deepEqual(accessToAsk("override"), ["operator"]);
  assert.deepEqual(accessToAsk("sweep"), ["operator"]);
});

test("without a role nothing is allowed but health and reflection", () => {
  const open = CALLS.filter((path) => isAllowed(accessTo(path), []));
  assert.ok(open.length > 0);
  for (const path of open) assert.match(path, /^\/grpc\.(health|reflection)\./);
});
