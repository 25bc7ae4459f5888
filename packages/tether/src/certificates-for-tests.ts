/*
 * Certificates for tests, made when they are needed: one authority, and one agent that is client and
 * server. Node can sign but not write X.509 (RFC 5280), which for these two is a dozen lines of DER.
 */
import { createSign, generateKeyPairSync, type KeyObject } from "node:crypto";

/** PEM. */
export interface Certificates {
  readonly ca: string;
  readonly key: string;
  readonly certificate: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const TAG = { boolean: 0x01, integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, utf8: 0x0c };
const [UTC_TIME, SEQUENCE, SET, VERSION, EXTENSIONS, DNS_NAME] = [
  0x17, 0x30, 0x31, 0xa0, 0xa3, 0x82,
];
/** Object identifiers, encoded. */
const ECDSA_SHA256 = "2a8648ce3d040302";
const COMMON_NAME = "550403";
const BASIC_CONSTRAINTS = "551d13";
const SUBJECT_ALT_NAME = "551d11";

export function makeCertificates(): Certificates {
  const authority = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const agent = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const isAuthority = der(SEQUENCE, der(TAG.boolean, Buffer.of(0xff)));
  const localhost = der(SEQUENCE, der(DNS_NAME, Buffer.from("localhost")));
  return {
    ca: sign(
      authority.privateKey,
      1,
      "authority",
      authority.publicKey,
      BASIC_CONSTRAINTS,
      isAuthority,
    ),
    key: agent.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    certificate: sign(
      authority.privateKey,
      2,
      "agent",
      agent.publicKey,
      SUBJECT_ALT_NAME,
      localhost,
    ),
  };
}

function sign(
  issuer: KeyObject,
  serial: number,
  subject: string,
  key: KeyObject,
  extension: string,
  value: Buffer,
): string {
  const algorithm = der(SEQUENCE, oid(ECDSA_SHA256));
  const body = der(
    SEQUENCE,
    der(VERSION, der(TAG.integer, Buffer.of(2))), // X.509 version 3
    der(TAG.integer, Buffer.of(serial)),
    algorithm,
    name("authority"),
    der(SEQUENCE, time(-DAY_MS), time(DAY_MS)),
    name(subject),
    key.export({ type: "spki", format: "der" }),
    der(EXTENSIONS, der(SEQUENCE, der(SEQUENCE, oid(extension), der(TAG.octets, value)))),
  );
  const signature = createSign("sha256").update(body).sign(issuer);
  const bits = der(TAG.bits, Buffer.of(0), signature);
  const base64 = der(SEQUENCE, body, algorithm, bits).toString("base64");
  const lines = base64.match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** Tag, length, contents. */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const { length } = Buffer.concat(contents);
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), ...contents]);
}

function oid(encoded: string): Buffer {
  return der(TAG.oid, Buffer.from(encoded, "hex"));
}

function name(text: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, oid(COMMON_NAME), der(TAG.utf8, Buffer.from(text)))));
}

function time(fromNowMs: number): Buffer {
  const digits = new Date(Date.now() + fromNowMs).toISOString().replace(/\D/g, "");
  return der(UTC_TIME, Buffer.from(`${digits.slice(2, 14)}Z`));
}
