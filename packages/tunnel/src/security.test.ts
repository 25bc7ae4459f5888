/* Goal: only a certificate that names the expected agent, and nobody else, is that agent's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerCertificate } from "node:tls";
import { isExpectedPeer, type Security } from "./security.js";

const SECURITY: Security = {
  kind: "tls",
  cert: "",
  key: "",
  ca: "",
  peer: "here",
  hostNames: ["URI:ferry://agent/([a-z0-9]+)"],
};

for (const [names, isHere] of [
  ["URI:ferry://agent/here", true],
  ["DNS:host.example, URI:ferry://agent/here, IP Address:10.0.0.1", true],
  ["URI:ferry://agent/here2", false],
  ["URI:ferry://agent/there, URI:ferry://agent/here", false],
  ["URI:ferry://agent/here, URI:ferry://controller/me", true],
  ["DNS:ferry://agent/here", false],
  ['DNS:"x, URI:ferry://agent/here"', false],
  ['DNS:"x\\", URI:ferry://agent/here, "', false],
  ["DNS:x URI:ferry://agent/here", false],
  ["", false],
  [undefined, false],
] as const) {
  test(`a certificate for ${names ?? "no name at all"} is ${isHere ? "" : "not "}the peer's`, () => {
    assert.equal(isExpectedPeer(SECURITY, callerNamed(names)), isHere);
  });
}

test("a caller without a certificate is not the peer", () => {
  assert.equal(isExpectedPeer(SECURITY, { getAuthContext: () => ({}) }), false);
});

function callerNamed(subjectaltname: string | undefined) {
  // Of a certificate only its alternative names are looked at.
  const sslPeerCertificate = { subjectaltname } as PeerCertificate;
  return { getAuthContext: () => ({ transportSecurityType: "ssl", sslPeerCertificate }) };
}
