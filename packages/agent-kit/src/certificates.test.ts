import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createSecureContext } from "node:tls";
import { makeAuthority, type TestPems } from "@ferry/tether/certificates-for-tests";
import { Certificates } from "./certificates.js";
import { makeLogger } from "./logs.js";
import { BUILT_IN } from "./policy.js";

const authority = makeAuthority();
const names = { uris: ["ferry://agent/host-1"] };

function setUp(t: TestContext, pems: Partial<TestPems & { ca: string }> = {}) {
  const dir = mkdtempSync(join(tmpdir(), "ferry-certificates-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const files = { cert: join(dir, "crt"), key: join(dir, "key"), ca: join(dir, "ca") };
  const write = (some: Partial<TestPems & { ca: string }>) => {
    if (some.cert !== undefined) writeFileSync(files.cert, some.cert);
    if (some.key !== undefined) writeFileSync(files.key, some.key);
    if (some.ca !== undefined) writeFileSync(files.ca, some.ca);
  };
  write({ ...authority.issue(names), ca: authority.ca, ...pems });
  const lines: string[] = [];
  const log = makeLogger({ level: "info", base: {} }, { write: (line) => void lines.push(line) });
  const ends: Date[] = [];
  const inForce: boolean[] = [];
  const open = () => {
    const certificates = new Certificates({
      files,
      hostId: "host-1",
      log,
      policy: { current: BUILT_IN },
      inForce: (isInForce) => void inForce.push(isInForce),
      expires: (at) => void ends.push(at),
    });
    t.after(() => certificates.stop());
    return certificates;
  };
  return { files, write, lines, ends, inForce, open };
}

test("the end of the certificate's life is told", (t) => {
  const { open, ends } = setUp(t);
  open();
  assert.equal(ends.length, 1);
  assert.ok((ends[0]?.getTime() ?? 0) > Date.now());
});

test("a renewed certificate is taken up and handed on", async (t) => {
  const { open, write, ends, lines } = setUp(t);
  const certificates = open();
  const given: string[] = [];
  certificates.addIdentityCertificateListener(
    (update) => void given.push(update?.certificate.toString() ?? ""),
  );
  await new Promise(setImmediate); // the first word comes soon, not at once
  const renewed = authority.issue(names);
  write(renewed);
  certificates.look();
  certificates.look();
  assert.deepEqual(given.slice(1), [renewed.cert]);
  assert.equal(certificates.pems.cert.toString(), renewed.cert);
  assert.equal(ends.length, 2);
  assert.match(lines.join(""), /read again/);
});

test("a new CA is taken up and handed on", async (t) => {
  const { open, write } = setUp(t);
  const certificates = open();
  const given: string[] = [];
  certificates.addCaCertificateListener(
    (update) => void given.push(update?.caCertificate.toString() ?? ""),
  );
  await new Promise(setImmediate);
  const both = `${authority.ca}${makeAuthority("next").ca}`;
  write({ ca: both });
  certificates.look();
  assert.equal(given.at(-1), both);
});

test("a pair that is half written leaves the old one in force, and is complained about once", (t) => {
  const { open, write, lines, inForce } = setUp(t);
  const certificates = open();
  const old = certificates.pems;
  const renewed = authority.issue(names);
  write({ cert: renewed.cert }); // its key comes a moment later
  certificates.look();
  certificates.look();
  assert.equal(certificates.pems, old);
  assert.equal(lines.filter((line) => /cannot be used/.test(line)).length, 1);
  assert.deepEqual(inForce, [false, false]);
  write({ key: renewed.key });
  certificates.look();
  assert.equal(inForce.at(-1), true);
  assert.equal(certificates.pems.cert.toString(), renewed.cert);
});

test("files that are torn in the middle leave the old ones in force", (t) => {
  const { open, write, inForce } = setUp(t);
  const certificates = open();
  const old = certificates.pems;
  const renewed = authority.issue(names);
  const both = `${authority.ca}${makeAuthority("next").ca}`;
  write({ cert: renewed.cert, key: renewed.key.slice(0, renewed.key.length / 2) });
  certificates.look();
  write({ ...renewed, ca: both.slice(0, -100) });
  certificates.look();
  assert.equal(certificates.pems, old);
  assert.deepEqual(inForce, [false, false]);
  write({ ca: both });
  certificates.look();
  assert.equal(certificates.pems.ca.toString(), both);
});

test("a chain that is torn in the middle leaves the old one in force", async (t) => {
  const { open, write, inForce } = setUp(t);
  const certificates = open();
  const old = certificates.pems;
  certificates.onChange(() => createSecureContext(certificates.pems)); // as every server does
  const renewed = authority.issue(names);
  write({ ...renewed, cert: `${renewed.cert}${authority.ca.slice(0, -100)}` });
  certificates.look();
  assert.equal(certificates.pems, old);
  assert.deepEqual(inForce, [false]);
  write({ cert: `${renewed.cert}${authority.ca}` });
  certificates.look();
  assert.notEqual(certificates.pems, old);
});

const UNUSABLE: readonly {
  readonly what: string;
  readonly pems: Partial<TestPems & { ca: string }>;
  readonly message: RegExp;
}[] = [
  {
    what: "another host's",
    pems: authority.issue({ uris: ["ferry://agent/host-2"] }),
    message: /must have the name ferry:\/\/agent\/host-1/,
  },
  {
    what: "one that ended",
    pems: authority.issue({ ...names, endsInMs: -60_000 }),
    message: /ended on .*renew it/,
  },
  {
    what: "a key of another",
    pems: { key: authority.issue(names).key },
    message: /tls\.key .* is not the key of tls\.cert/,
  },
  {
    what: "no certificate",
    pems: { cert: "hello" },
    message: /tls\.cert .* is not what it should be/,
  },
  { what: "no key", pems: { key: "hello" }, message: /tls\.key .* is not what it should be/ },
  { what: "no CA", pems: { ca: "" }, message: /tls\.ca .* is not what it should be/ },
];

for (const { what, pems, message } of UNUSABLE) {
  test(`refused at the start, in words: ${what}`, (t) => {
    assert.throws(setUp(t, pems).open, message);
  });
}

test("a file that is missing is named, with what to do about it", (t) => {
  const { files, open } = setUp(t);
  rmSync(files.key);
  assert.throws(open, /tls\.key cannot be read: .*ferry certs/);
});

test("files that cannot be read any more leave the old ones in force, and are complained about once", (t) => {
  const { files, open, write, lines, inForce } = setUp(t);
  const certificates = open();
  const old = certificates.pems;
  rmSync(files.key); // as good as a permission that was lost, which root does not notice
  for (let looks = 0; looks < 5; looks += 1) certificates.look();
  assert.equal(certificates.pems, old);
  assert.equal(inForce.at(-1), false);
  assert.equal(lines.filter((line) => /cannot be used/.test(line)).length, 1);
  rmSync(files.ca); // the key is still missing, and is read first
  certificates.look();
  write({ key: old.key.toString() });
  certificates.look();
  const said = lines.filter((line) => /cannot be used/.test(line));
  assert.equal(said.length, 2);
  assert.match(said.at(-1) ?? "", /tls\.ca cannot be read/);
  write({ ca: old.ca.toString() });
  certificates.look();
  assert.equal(inForce.at(-1), true);
});

test("files that are swapped as Kubernetes does it, by one link, are taken up together", (t) => {
  const { files, open, inForce } = setUp(t);
  const dir = join(files.cert, "..");
  const put = (name: string, pems: TestPems) => {
    mkdirSync(join(dir, name));
    for (const [file, text] of Object.entries({ crt: pems.cert, key: pems.key })) {
      writeFileSync(join(dir, name, file), text);
    }
    writeFileSync(join(dir, name, "ca"), authority.ca);
    symlinkSync(name, join(dir, "..new"));
    renameSync(join(dir, "..new"), join(dir, "..data"));
  };
  put("first", authority.issue(names));
  for (const file of ["crt", "key", "ca"]) {
    rmSync(join(dir, file));
    symlinkSync(join("..data", file), join(dir, file));
  }
  const certificates = open();
  const renewed = authority.issue(names);
  put("second", renewed);
  rmSync(join(dir, "first"), { recursive: true });
  certificates.look();
  assert.equal(certificates.pems.cert.toString(), renewed.cert);
  assert.deepEqual(inForce, [true]);
});
