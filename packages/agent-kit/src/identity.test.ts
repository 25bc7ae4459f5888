import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import type { PeerCertificate } from "node:tls";
import { Fault } from "@ferry/contract";
import { makeAuthority, type TestNames } from "./certificates-for-tests.js";
import {
  checkAgentCertificate,
  hostIdOfAgent,
  identityIn,
  peerIdentity,
  requireAgent,
} from "./identity.js";

const authority = makeAuthority();

function certificateOf(names: TestNames): PeerCertificate {
  return new X509Certificate(authority.issue(names).cert).toLegacyObject();
}

function callWith(certificate: PeerCertificate | undefined) {
  return {
    getAuthContext: () => (certificate === undefined ? {} : { sslPeerCertificate: certificate }),
  };
}

test("an agent's certificate names its host, whatever else it names", () => {
  const certificate = certificateOf({ uris: ["ferry://agent/host-1"], dns: ["host-1.example"] });
  assert.deepEqual(identityIn(certificate), { kind: "agent", hostId: "host-1" });
});

test("a controller's certificate names the controller", () => {
  const certificate = certificateOf({ uris: ["ferry://controller/Kube_1"] });
  assert.deepEqual(identityIn(certificate), { kind: "client", name: "Kube_1" });
});

test("any other certificate is a client by the best name it has", () => {
  assert.deepEqual(identityIn(certificateOf({ dns: ["ops.example"] })), {
    kind: "client",
    name: "ops.example",
  });
  assert.deepEqual(identityIn(certificateOf({ commonName: "alice" })), {
    kind: "client",
    name: "alice",
  });
});

test("names that only look like an agent's make nobody an agent", () => {
  for (const names of [
    { uris: ["ferry://agent/host-1", "ferry://agent/host-2"] }, // two hosts at once
    { uris: ["ferry://agent/host-1", "ferry://controller/me"] },
    { uris: ["ferry://agent/host-1/source"] },
    { uris: ["ferry://agent/"] },
    { uris: ["ferry://agent/HOST"] },
    { uris: ["https://ferry://agent/host-1"] },
    { dns: ["ferry://agent/host-1"] },
    { dns: ["x, URI:ferry://agent/host-1"] }, // Node quotes it; a careless split would not
    { dns: ['x", URI:ferry://agent/host-1, DNS:"y'] },
    { commonName: "ferry://agent/host-1" },
  ] satisfies TestNames[]) {
    assert.equal(identityIn(certificateOf(names)).kind, "client", JSON.stringify(names));
  }
});

test("over plaintext nobody proved anything; where certificates are asked for, none is refused", () => {
  assert.deepEqual(peerIdentity(callWith(undefined), false), { kind: "plaintext" });
  assert.throws(
    () => peerIdentity(callWith(undefined), true),
    (error) => error instanceof Fault && error.reason === "FORBIDDEN",
  );
});

test("agents' calls are for agents, and over plaintext for everybody", () => {
  requireAgent({ kind: "agent", hostId: "host-1" });
  requireAgent({ kind: "plaintext" });
  assert.throws(
    () => requireAgent({ kind: "client", name: "me" }),
    (error) => error instanceof Fault && error.reason === "PEER_ONLY",
  );
});

test("a dialled agent must have the certificate of the host that was meant", () => {
  const check = checkAgentCertificate("host-2");
  assert.equal(check("", certificateOf({ uris: ["ferry://agent/host-2"] })), undefined);
  assert.match(
    check("", certificateOf({ uris: ["ferry://agent/host-1"] }))?.message ?? "",
    /belongs to host host-1, not to an agent of host-2/,
  );
  assert.match(check("", certificateOf({ dns: ["host-2"] }))?.message ?? "", /belongs to no agent/);
});

test("an agent id is its host and its role", () => {
  assert.equal(hostIdOfAgent("host-1.example/destination"), "host-1.example");
});
