/* Goal: the end of a certificate is what its file says. Method: an agent that shows it, over real TLS. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FakeAgents } from "@ferry/client/fake-agents";
import { ServerCredentials } from "@grpc/grpc-js";
import { makeAuthority } from "./authority.js";
import { agentCertificateEnd, ownCertificateEnd } from "./certificate-expiry.js";
import { writeCertificates } from "./certificate-files.js";

const TIMEOUT_MS = 10_000;

test("an agent's certificate and our own are read, and nothing where there is none", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "ferry-expiry-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const read = (...path: string[]) => readFileSync(join(directory, ...path));
  await writeCertificates(await makeAuthority(30), {
    directory,
    hosts: [{ hostId: "a", names: ["127.0.0.1"] }],
    callers: [{ role: "operator", name: "ann", folder: "operator" }],
    force: false,
  });
  const pair = { private_key: read("a", "host.key"), cert_chain: read("a", "host.crt") };
  const shown = ServerCredentials.createSsl(read("ca.crt"), [pair], true);
  const agents = await new FakeAgents({}).listen(shown);
  t.after(() => agents.close());
  const tls = {
    ca: read("ca.crt"),
    cert: read("operator", "operator.crt"),
    key: read("operator", "operator.key"),
  };
  const endOf = (pem: Buffer) => new Date(new X509Certificate(pem).validTo);
  assert.deepEqual(
    await agentCertificateEnd(agents.source, { tls }, TIMEOUT_MS),
    endOf(read("a", "host.crt")),
  );
  assert.deepEqual(ownCertificateEnd({ tls }), endOf(tls.cert));
  assert.equal(await agentCertificateEnd("127.0.0.1:1", { tls }, TIMEOUT_MS), undefined);
  assert.equal(
    await agentCertificateEnd(agents.source, { plaintext: true }, TIMEOUT_MS),
    undefined,
  );
  assert.equal(ownCertificateEnd({ plaintext: true }), undefined);
});
