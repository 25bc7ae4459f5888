/*
 * Goal: what `ferry certs init` makes is what agents and controllers prove themselves by, and nobody
 * else gets through. Method: a server that asks for certificates, as an agent does; openssl's own
 * judgement of the files.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connectHost, getInfo, type Host, type TlsOptions } from "@ferry/client";
import { FakeAgents } from "@ferry/client/fake-agents";
import { ServerCredentials } from "@grpc/grpc-js";
import { makeAuthority, openAuthority } from "./authority.js";
import { writeCertificates, writeMore } from "./certificate-files.js";

const directory = mkdtempSync(join(tmpdir(), "ferry-certs-"));
const file = (...path: string[]) => join(directory, ...path);
const openssl = (...args: string[]) => execFileSync("openssl", args, { encoding: "utf8" });
const OPTIONS = {
  directory,
  hosts: [
    { hostId: "a", names: ["127.0.0.1", "::1", "a.example"] },
    { hostId: "b", names: ["10.9.8.7"] },
  ],
  callers: [
    { role: "controller", name: "night-shift", folder: "controller" },
    { role: "viewer", name: "wall", folder: "viewer" },
    { role: "operator", name: "ann", folder: "operator" },
  ],
  force: false,
} as const;

before(async () => {
  await writeCertificates(await makeAuthority(30), OPTIONS);
});
after(() => rmSync(directory, { recursive: true }));

describe("the files", () => {
  test("openssl takes every certificate, for serving and for dialling", () => {
    for (const cert of [
      file("a", "host.crt"),
      file("b", "host.crt"),
      file("controller", "controller.crt"),
    ]) {
      for (const purpose of ["sslserver", "sslclient"]) {
        const said = openssl(
          "verify",
          "-x509_strict",
          "-CAfile",
          file("ca.crt"),
          "-purpose",
          purpose,
          cert,
        );
        assert.match(said, /OK/);
      }
    }
  });

  test("a host's certificate names the host and its addresses", () => {
    const names = openssl("x509", "-in", file("a", "host.crt"), "-noout", "-ext", "subjectAltName");
    for (const name of ["URI:ferry://agent/a", "IP Address:127.0.0.1", "DNS:a.example"]) {
      assert.ok(names.includes(name), `${name} in ${names}`);
    }
  });

  test("the controller's names the controller, and is no agent's", () => {
    const cert = file("controller", "controller.crt");
    const names = openssl("x509", "-in", cert, "-noout", "-ext", "subjectAltName");
    assert.match(names, /URI:ferry:\/\/controller\/night-shift/);
    assert.doesNotMatch(names, /agent/);
  });

  test("keys are their owner's alone", () => {
    for (const key of [
      file("ca.key"),
      file("a", "host.key"),
      file("controller", "controller.key"),
    ]) {
      assert.equal((statSync(key).mode & 0o777).toString(8), "600");
    }
  });

  test("the operator's names the operator, and is no agent's", () => {
    const names = new X509Certificate(readFileSync(file("operator", "operator.crt")))
      .subjectAltName;
    assert.match(names ?? "", /URI:ferry:\/\/operator\/ann/);
    assert.doesNotMatch(names ?? "", /ferry:\/\/agent/);
  });

  test("more of them are issued by the authority that is there", async () => {
    const read = (name: string) => readFileSync(file(name), "utf8");
    const authority = await openAuthority({ cert: read("ca.crt"), key: read("ca.key") }, 30);
    const callers = [{ role: "viewer", name: "tv", folder: "viewer-tv" }] as const;
    const more = { ...OPTIONS, hosts: [], callers };
    await writeMore(authority, more);
    const cert = file("viewer-tv", "viewer.crt");
    assert.match(openssl("verify", "-x509_strict", "-CAfile", file("ca.crt"), cert), /OK/);
    const names = new X509Certificate(readFileSync(cert)).subjectAltName;
    assert.match(names ?? "", /URI:ferry:\/\/viewer\/tv/);
    await assert.rejects(writeMore(authority, more), /exists already, nothing was written/);
    const other = await makeAuthority(1);
    await assert.rejects(openAuthority({ cert: read("ca.crt"), key: other.key }, 1), /not that of/);
  });

  test("what a CA signs says no later end than its own, and one that has ended signs nothing", async () => {
    const short = await makeAuthority(2);
    const { cert } = await (await openAuthority(short, 825)).host("a", ["127.0.0.1"]);
    const endOf = (pem: string) => Date.parse(new X509Certificate(pem).validTo);
    assert.equal(endOf(cert), endOf(short.cert));
    await assert.rejects(openAuthority(await makeAuthority(-1), 30), /it ended on [0-9-]{10}T/);
  });

  test("a directory in which nothing can be made is refused in words, and at once", async () => {
    const authority = await makeAuthority(1);
    const nowhere = { ...OPTIONS, directory: "/proc/certs/here" };
    await assert.rejects(
      writeCertificates(authority, nowhere),
      /cannot be written: .*\/proc\/certs/,
    );
    const deep = { ...OPTIONS, directory: file("deep", "er") };
    await writeCertificates(authority, deep);
    assert.ok(existsSync(file("deep", "er", "a", "host.crt")));
  });

  test("nobody is named twice: nothing is written then", async () => {
    const authority = await makeAuthority(1);
    const bob = { role: "viewer", name: "bob", folder: "viewer-bob" } as const;
    const twice = { ...OPTIONS, hosts: [], callers: [bob, bob] };
    await assert.rejects(writeMore(authority, twice), /written twice, nothing was written/);
    assert.ok(!existsSync(file("viewer-bob")));
  });

  test("nothing is overwritten unless that was asked for", async () => {
    const old = readFileSync(file("ca.crt"), "utf8");
    const other = await makeAuthority(1);
    await assert.rejects(writeCertificates(other, OPTIONS), /exists already, nothing was written/);
    assert.equal(readFileSync(file("ca.crt"), "utf8"), old);
    const elsewhere = mkdtempSync(join(tmpdir(), "ferry-certs-"));
    try {
      writeFileSync(join(elsewhere, "ca.key"), "old", { mode: 0o644 });
      await writeCertificates(other, { ...OPTIONS, directory: elsewhere, force: true });
      assert.equal(statSync(join(elsewhere, "ca.key")).mode & 0o777, 0o600);
    } finally {
      rmSync(elsewhere, { recursive: true });
    }
  });
});

describe("a connection", () => {
  let agents: FakeAgents;
  const hosts: Host[] = [];

  before(async () => {
    const pair = {
      cert_chain: readFileSync(file("a", "host.crt")),
      private_key: readFileSync(file("a", "host.key")),
    };
    const credentials = ServerCredentials.createSsl(readFileSync(file("ca.crt")), [pair], true);
    agents = await new FakeAgents({}).listen(credentials);
  });
  after(() => {
    for (const host of hosts) host.close();
    agents.close();
  });

  function connect(tls: TlsOptions, hostId?: string, address = agents.source): Host {
    const known = hostId === undefined ? {} : { hostId };
    const host = connectHost({ source: address, destination: agents.destination, tls, ...known });
    hosts.push(host);
    return host;
  }

  function controller(ca = readFileSync(file("ca.crt"))): TlsOptions {
    const cert = readFileSync(file("controller", "controller.crt"));
    return { ca, cert, key: readFileSync(file("controller", "controller.key")) };
  }

  test("is made by a controller that knows the host's name, or only its address", async () => {
    const warnings: string[] = [];
    process.on("warning", ({ message }) => warnings.push(message));
    assert.equal((await getInfo(connect(controller(), "a").source)).version, "0.1.0");
    assert.equal((await getInfo(connect(controller()).source)).version, "0.1.0");
    assert.deepEqual(warnings, []);
  });

  test("knows a host by whatever name the fleet's certificates have", async () => {
    const named = (agentName: string) => ({ ...controller(), agentName });
    await getInfo(connect(named("{host}.example"), "a").source);
    await assert.rejects(
      getInfo(connect(named("spiffe://example.org/{host}"), "a").source),
      /not that of host a: it names/,
    );
  });

  test("is refused when another host answers than the one that was meant", async () => {
    await assert.rejects(
      getInfo(connect(controller(), "b").source),
      /not that of host b: it names URI/,
    );
  });

  test("is refused when the address is not in the certificate", async () => {
    const port = agents.source.split(":").at(-1);
    await assert.rejects(
      getInfo(connect(controller(), undefined, `localhost:${port}`).source),
      /altnames/i,
    );
  });

  test("is refused to an agent of another CA, and to a stranger", async () => {
    const other = await makeAuthority(1);
    const stranger = {
      ca: readFileSync(file("ca.crt")),
      ...(await other.caller("controller", "x")),
    };
    await assert.rejects(getInfo(connect(stranger, "a").source));
    await assert.rejects(
      getInfo(connect(controller(Buffer.from(other.cert)), "a").source),
      /certificate/,
    );
  });
});
