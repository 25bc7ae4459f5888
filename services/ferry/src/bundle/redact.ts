/*
 * Takes out of a bug report what is nobody's business. Agents write no secret anywhere, so this is the
 * second rope: fields that are called like one, and texts that look like one, wherever they stand. A
 * guest's kernel command line is its owner's, and goes too.
 */
export const REDACTED = "[redacted]";

/** Names whose value is not told, in whatever case: `key`, `tls_key`, `privateKey`, `commandLine`. */
const SECRET_NAME = /(^|_)(key|psk|ticket|password|passwd|secret|token|credentials?|command_line)$/;
/** Names under which 64 hexadecimal digits are a checksum, and a chain of them is to stay whole. */
const CHECKSUM_NAME = /^(before|sha256)$/;

/** A migration's key is 64 hexadecimal digits, and so is nothing else that anybody must read. */
const KEY = /(?<![0-9a-fA-F])[0-9a-fA-F]{64}(?![0-9a-fA-F])/g;
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g;
const URL_PASSWORD = /(:\/\/[^\s/:@]*:)[^\s/@]+@/g;

/** A text without what looks like a secret. */
export function redactText(text: string): string {
  return text.replace(PEM, REDACTED).replace(KEY, REDACTED).replace(URL_PASSWORD, `$1${REDACTED}@`);
}

/** A value as JSON has it, without what is called a secret or looks like one. */
export function redact(value: unknown, name = ""): unknown {
  if (value === null || value === undefined) return value;
  if (SECRET_NAME.test(snake(name)) && typeof value !== "boolean") return REDACTED;
  if (typeof value === "string") return CHECKSUM_NAME.test(name) ? value : redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (Buffer.isBuffer(value)) return redactText(value.toString("base64"));
  if (Array.isArray(value)) return value.map((each) => redact(each, name));
  if (typeof value !== "object" || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, redact(each, key)]));
}

/** Lines of which each may be JSON: logs, audit logs, records. */
export function redactLines(text: string): string {
  return text.split("\n").map(redactLine).join("\n");
}

function redactLine(line: string): string {
  if (!line.startsWith("{")) return redactText(line);
  try {
    return JSON.stringify(redact(JSON.parse(line)));
  } catch {
    return redactText(line); // torn, or cut where a tail begins
  }
}

function snake(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
}
