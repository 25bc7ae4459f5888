import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import type { PeerCertificate } from "node:tls";
import { Fault, readFault, toStatus } from "@ferry/contract";
import { makeAuthority, type TestNames } from "@ferry/tether/certificates-for-tests";
import {
  checkAgentCertificate,
  hostIdOfAgent,
  identityIn,
  type PeerIdentity,
  peerIdentity,
  requireAsk,
  requireCall,
} from "./identity.js";
import { BUILT_IN } from "./policy.js";

const authority = makeAuthority();

function certificateOf(names: TestNames): PeerCertificate {
  return new X509Certificate(authority.issue(names).cert).toLegacyObject();
}

function callWith(certificate: PeerCertificate | undefined) {
  return {
    getAuthContext: () => (certificate === undefined ? {} : { sslPeerCertificate: certificate }),
  };
}

function peerWith(names: TestNames): PeerIdentity {
  return identityIn(certificateOf(names), BUILT_IN);
}

test("an agent's certificate names its host, whatever else it names", () => {
  const { name, roles, hostId } = identityIn(
    certificateOf({ uris: ["ferry://agent/host-1"], dns: ["host-1.example"] }),
    BUILT_IN,
  );
  assert.deepEqual(
    { name, roles, hostId },
    {
      name: "ferry://agent/host-1",
      roles: ["agent"],
      hostId: "host-1",
    },
  );
});

test("one certificate may have several roles", () => {
  const { roles } = identityIn(
    certificateOf({ uris: ["ferry://viewer/ann", "ferry://operator/ann"] }),
    BUILT_IN,
  );
  assert.deepEqual(roles, ["viewer", "operator"]);
});

test("a certificate without a role is called by the best name it has", () => {
  const named = (names: TestNames) => identityIn(certificateOf(names), BUILT_IN);
  assert.equal(named({ dns: ["ops.example"] }).name, "ops.example");
  assert.equal(named({ commonName: "alice" }).name, "CN=alice");
  assert.deepEqual(named({ dns: ["ops.example"] }).roles, []);
});

test("names that only look like an agent's make nobody an agent", () => {
  for (const names of [
    { uris: ["ferry://agent/host-1", "ferry://agent/host-2"] }, // two hosts at once
    { uris: ["ferry://agent/host-1/source"] },
    { uris: ["ferry://agent/"] },
    { uris: ["ferry://agent/HOST"] },
    { uris: ["https://ferry://agent/host-1"] },
    { dns: ["ferry://agent/host-1"] },
    { dns: ["x, URI:ferry://agent/host-1"] }, // Node quotes it; a careless split would not
    { dns: ['x", URI:ferry://agent/host-1, DNS:"y'] },
    { commonName: "ferry://agent/host-1" },
  ] satisfies TestNames[]) {
    const { roles, hostId } = identityIn(certificateOf(names), BUILT_IN);
    assert.deepEqual({ roles, hostId }, { roles: [], hostId: undefined }, JSON.stringify(names));
  }
});

test("over plaintext nobody proved anything; where certificates are asked for, none is refused", () => {
  assert.deepEqual(peerIdentity(callWith(undefined), undefined), { kind: "plaintext" });
  assert.throws(
    () => peerIdentity(callWith(undefined), BUILT_IN),
    (error) => error instanceof Fault && error.reason === "FORBIDDEN",
  );
});

test("a refusal tells the identity that was seen and the rule that was missed", () => {
  const refused = (work: () => void) => {
    try {
      work();
    } catch (error) {
      return readFault(toStatus(error));
    }
    return undefined;
  };
  const viewer = refused(() =>
    requireCall(peerWith({ uris: ["ferry://viewer/tv"] }), "/ferry.v1.GuestService/Stop"),
  );
  assert.equal(viewer?.reason, "FORBIDDEN");
  assert.equal(
    viewer.message,
    "ferry.v1.GuestService/Stop is for controller or operator, and ferry://viewer/tv is viewer there (the built-in policy)",
  );
  assert.equal(viewer.metadata.identity, "ferry://viewer/tv");
  assert.equal(viewer.metadata.wanted, "controller or operator");

  const stranger = refused(() =>
    requireCall(peerWith({ dns: ["ops.example"] }), "/ferry.v1.PeerService/Meet"),
  );
  assert.equal(stranger?.reason, "PEER_ONLY");
  assert.match(
    stranger.message,
    /is for agent, and ops\.example has no role in the built-in policy/,
  );
});

test("over plaintext everybody may call and ask for everything", () => {
  requireCall({ kind: "plaintext" }, "/ferry.v1.PeerService/Meet");
  assert.equal(requireAsk({ kind: "plaintext" }, "override"), "plaintext");
});

test("only an operator may stand in for a host or sweep, and is named for the audit log", () => {
  const operator = peerWith({ uris: ["ferry://operator/alice"] });
  assert.equal(requireAsk(operator, "override"), "ferry://operator/alice");
  for (const uri of ["ferry://controller/c", "ferry://viewer/v", "ferry://agent/a"]) {
    for (const ask of ["override", "sweep"] as const) {
      assert.throws(() => requireAsk(peerWith({ uris: [uri] }), ask), /is for operator/);
    }
  }
});

test("a dialled agent must have the certificate of the host that was meant", () => {
  const check = checkAgentCertificate("host-2", () => BUILT_IN);
  assert.equal(check("", certificateOf({ uris: ["ferry://agent/host-2"] })), undefined);
  assert.match(
    check("", certificateOf({ uris: ["ferry://agent/host-1"] }))?.message ?? "",
    /belongs to host host-1, not to an agent of host-2 \(ferry:\/\/agent\/host-2\)/,
  );
  assert.match(check("", certificateOf({ dns: ["host-2"] }))?.message ?? "", /belongs to no agent/);
});

test("an agent id is its host and its role", () => {
  assert.equal(hostIdOfAgent("host-1.example/destination"), "host-1.example");
});
