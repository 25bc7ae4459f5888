/* Goal: metrics that others can reach are for whoever may look, by the same certificates as the calls. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeAuthority, type TestNames } from "@ferry/tether/certificates-for-tests";
import { Certificates } from "./certificates.js";
import { parseConfig } from "./config-file.js";
import { makeLogger } from "./logs.js";
import { makeMetrics } from "./metrics.js";
import { serveMetrics } from "./metrics-endpoint.js";
import { BUILT_IN } from "./policy.js";

async function setUp(t: TestContext) {
  const authority = makeAuthority();
  const dir = mkdtempSync(join(tmpdir(), "ferry-metrics-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const files = { cert: join(dir, "crt"), key: join(dir, "key"), ca: join(dir, "ca") };
  const write = (signer = authority, ca = signer.ca) => {
    const { cert, key } = signer.issue({ uris: ["ferry://agent/host-1"], dns: ["localhost"] });
    writeFileSync(files.cert, cert);
    writeFileSync(files.key, key);
    writeFileSync(files.ca, ca);
  };
  write();
  const policy = { current: BUILT_IN };
  const log = makeLogger({ level: "fatal", base: {} }, { write: () => {} });
  const certificates = new Certificates({ files, hostId: "host-1", log, policy });
  t.after(() => certificates.stop());
  const endpoint = await serveMetrics({
    listen: "127.0.0.1:0",
    registry: makeMetrics({ role: "source", process: false }).registry,
    tls: { certificates, policy },
    ready: () => true,
  });
  t.after(() => endpoint.close());
  const get = (names: TestNames | undefined, signer = authority, ca = authority.ca) =>
    new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const shown = names === undefined ? {} : signer.issue(names);
      const options = { host: "127.0.0.1", port: endpoint.port, path: "/metrics", agent: false };
      request({ ...options, servername: "localhost", ca, ...shown }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece: string) => {
          text += piece;
        });
        response.on("end", () => resolve({ status: response.statusCode, text }));
      })
        .on("error", reject)
        .end();
    });
  return { authority, certificates, write, get };
}

test("whoever may look is shown them, and nobody else", async (t) => {
  const { get } = await setUp(t);
  for (const role of ["viewer", "controller", "operator"]) {
    const { status, text } = await get({ uris: [`ferry://${role}/x`] });
    assert.equal(status, 200, role);
    assert.match(text, /ferry_build_info/);
  }
  const { status, text } = await get({ uris: ["ferry://agent/host-2"] });
  assert.equal(status, 403);
  assert.match(text, /for viewer, controller, operator, and ferry:\/\/agent\/host-2 is none/);
  await assert.rejects(get(undefined));
  await assert.rejects(get({ uris: ["ferry://viewer/x"] }, makeAuthority()));
});

test("new certificates and a new CA are taken up", async (t) => {
  const { authority, certificates, write, get } = await setUp(t);
  const next = makeAuthority("next");
  const viewer = { uris: ["ferry://viewer/x"] };
  write(next, `${authority.ca}${next.ca}`);
  certificates.look();
  assert.equal((await get(viewer, authority, next.ca)).status, 200, "both are trusted");
  assert.equal((await get(viewer, next, next.ca)).status, 200);
  write(next);
  certificates.look();
  await assert.rejects(get(viewer, authority, next.ca));
  assert.equal((await get(viewer, next, next.ca)).status, 200);
});

test("TLS is the default wherever others can reach them", () => {
  const tlsOf = (text: string) => parseConfig(text, "source").metricsTls;
  assert.equal(tlsOf(""), false);
  for (const address of ["0.0.0.0:9", "10.0.0.1:9", "[::]:9", "host:9", "127.example:9"]) {
    assert.equal(tlsOf(`metrics_listen: "${address}"`), true, address);
  }
  for (const address of ["127.0.0.2:9", "[::1]:9", "localhost:9"]) {
    assert.equal(tlsOf(`metrics_listen: "${address}"`), false, address);
  }
  assert.equal(tlsOf('metrics_listen: "0.0.0.0:9"\nmetrics_tls: false'), false);
  assert.equal(tlsOf('metrics_listen: "0.0.0.0:9"\nplaintext: true'), false);
  assert.throws(
    () => parseConfig("plaintext: true\nmetrics_tls: true", "source"),
    /:2: metrics_tls/,
  );
});
