/*
 * Certificates for tests, made when they are needed. Node can sign but not write X.509 (RFC 5280),
 * which for an authority and its hosts is a page of DER. Operators' certificates come from `ferry certs`.
 */
import {
  createPrivateKey,
  createPublicKey,
  createSign,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";

/** PEM texts. */
export interface TestPems {
  readonly cert: string;
  readonly key: string;
}

export interface TestNames {
  readonly commonName?: string;
  /** Alternative names, in order. */
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  /** When it begins and ends, in milliseconds from now. */
  readonly beginsInMs?: number;
  readonly endsInMs?: number;
  /** What it is for, if it is not for everything. */
  readonly usage?: "server" | "client";
}

export interface TestAuthority {
  /** Its certificate, in PEM. */
  readonly ca: string;
  issue(names: TestNames): TestPems;
  /** An authority that it signed: what that one issues comes with its certificate. */
  below(name: string): TestAuthority;
}

const HOUR_MS = 60 * 60 * 1000;
const [BOOLEAN, INTEGER, BITS, OCTETS, OID, UTF8, UTC_TIME] = [1, 2, 3, 4, 6, 0x0c, 0x17];
const [SEQUENCE, SET, VERSION, EXTENSIONS, DNS_NAME, URI_NAME] = [
  0x30, 0x31, 0xa0, 0xa3, 0x82, 0x86,
];
/** Object identifiers, encoded. */
const ECDSA_SHA256 = "2a8648ce3d040302";
const COMMON_NAME = "550403";
const BASIC_CONSTRAINTS = "551d13";
const SUBJECT_ALT_NAME = "551d11";
const EXTENDED_KEY_USAGE = "551d25";
const USAGES = { server: "2b06010505070301", client: "2b06010505070302" } as const;

/** A new one; or, with its common name and its key in PEM, one that was made elsewhere. */
export function makeAuthority(name = "authority", key?: string): TestAuthority {
  const keys =
    key === undefined
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : { privateKey: createPrivateKey(key), publicKey: createPublicKey(createPrivateKey(key)) };
  const ca = certificate(authorityBody(name, name, keys.publicKey), keys.privateKey);
  return authorityWith({ name, ca, signer: keys.privateKey, chain: "" });
}

interface Authority {
  readonly name: string;
  readonly ca: string;
  readonly signer: KeyObject;
  /** What comes with each certificate that it issues, in PEM. */
  readonly chain: string;
}

function authorityWith({ name, ca, signer, chain }: Authority): TestAuthority {
  let serial = 1;
  return {
    ca,
    issue: ({ commonName = "test", beginsInMs, endsInMs = HOUR_MS, ...names }) => {
      const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      serial += 1;
      const extensions = [...alternativeNames(names), ...usageOf(names)];
      const subject = { serial, issuer: name, subject: commonName, key: publicKey, extensions };
      return {
        cert: `${certificate({ ...subject, beginsInMs, endsInMs }, signer)}${chain}`,
        key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      };
    },
    below: (lower) => {
      const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
      serial += 1;
      const body = authorityBody(lower, name, keys.publicKey);
      const own = certificate({ ...body, serial }, signer);
      return authorityWith({
        name: lower,
        ca: own,
        signer: keys.privateKey,
        chain: `${own}${chain}`,
      });
    },
  };
}

function authorityBody(subject: string, issuer: string, key: KeyObject): Body {
  const isAuthority = der(SEQUENCE, der(BOOLEAN, Buffer.of(0xff)));
  const extensions = [extension(BASIC_CONSTRAINTS, isAuthority)];
  return { serial: 1, issuer, subject, key, extensions, endsInMs: HOUR_MS };
}

function alternativeNames({ uris = [], dns = [] }: TestNames): Buffer[] {
  const names = [
    ...uris.map((uri) => der(URI_NAME, Buffer.from(uri))),
    ...dns.map((each) => der(DNS_NAME, Buffer.from(each))),
  ];
  return names.length === 0 ? [] : [extension(SUBJECT_ALT_NAME, der(SEQUENCE, ...names))];
}

function usageOf({ usage }: TestNames): Buffer[] {
  return usage === undefined
    ? []
    : [extension(EXTENDED_KEY_USAGE, der(SEQUENCE, oid(USAGES[usage])))];
}

interface Body {
  readonly serial: number;
  readonly issuer: string;
  readonly subject: string;
  readonly key: KeyObject;
  readonly extensions: readonly Buffer[];
  readonly beginsInMs?: number | undefined;
  readonly endsInMs: number;
}

function certificate(body: Body, signer: KeyObject): string {
  const algorithm = der(SEQUENCE, oid(ECDSA_SHA256));
  const begins = body.beginsInMs ?? Math.min(0, body.endsInMs) - HOUR_MS;
  const signed = der(
    SEQUENCE,
    der(VERSION, der(INTEGER, Buffer.of(2))), // X.509 version 3
    der(INTEGER, Buffer.of(body.serial)),
    algorithm,
    distinguished(body.issuer),
    der(SEQUENCE, time(begins), time(body.endsInMs)),
    distinguished(body.subject),
    body.key.export({ type: "spki", format: "der" }),
    ...(body.extensions.length === 0 ? [] : [der(EXTENSIONS, der(SEQUENCE, ...body.extensions))]),
  );
  const signature = createSign("sha256").update(signed).sign(signer);
  const whole = der(SEQUENCE, signed, algorithm, der(BITS, Buffer.of(0), signature));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function extension(id: string, value: Buffer): Buffer {
  return der(SEQUENCE, oid(id), der(OCTETS, value));
}

/** Tag, length, contents. */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const { length } = Buffer.concat(contents);
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), ...contents]);
}

function oid(encoded: string): Buffer {
  return der(OID, Buffer.from(encoded, "hex"));
}

function distinguished(name: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, oid(COMMON_NAME), der(UTF8, Buffer.from(name)))));
}

function time(fromNowMs: number): Buffer {
  const digits = new Date(Date.now() + fromNowMs).toISOString().replace(/\D/g, "");
  return der(UTC_TIME, Buffer.from(`${digits.slice(2, 14)}Z`));
}
