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
}

export interface TestAuthority {
  /** Its certificate, in PEM. */
  readonly ca: string;
  issue(names: TestNames): TestPems;
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

/** A new one; or, with its common name and its key in PEM, one that was made elsewhere. */
export function makeAuthority(name = "authority", key?: string): TestAuthority {
  const privateKey =
    key === undefined
      ? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
      : createPrivateKey(key);
  const own = { privateKey, publicKey: createPublicKey(privateKey) };
  const sign = (body: Omit<Body, "issuer">) =>
    certificate({ ...body, issuer: name }, own.privateKey);
  let serial = 1;
  return {
    ca: sign({
      serial,
      subject: name,
      key: own.publicKey,
      extension: extension(BASIC_CONSTRAINTS, der(SEQUENCE, der(BOOLEAN, Buffer.of(0xff)))),
      endsInMs: HOUR_MS,
    }),
    issue: ({ commonName = "test", uris = [], dns = [], beginsInMs, endsInMs = HOUR_MS }) => {
      const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const names = [
        ...uris.map((uri) => der(URI_NAME, Buffer.from(uri))),
        ...dns.map((each) => der(DNS_NAME, Buffer.from(each))),
      ];
      serial += 1;
      return {
        cert: sign({
          serial,
          subject: commonName,
          key: publicKey,
          extension:
            names.length === 0 ? undefined : extension(SUBJECT_ALT_NAME, der(SEQUENCE, ...names)),
          beginsInMs,
          endsInMs,
        }),
        key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      };
    },
  };
}

interface Body {
  readonly serial: number;
  readonly issuer: string;
  readonly subject: string;
  readonly key: KeyObject;
  readonly extension: Buffer | undefined;
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
    ...(body.extension === undefined ? [] : [der(EXTENSIONS, der(SEQUENCE, body.extension))]),
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
