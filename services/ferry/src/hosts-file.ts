/*
 * The hosts file: where every host's two agents are, and how to speak to them. Each host stands
 * under its host_id, so that an address which leads to another host is noticed at once.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { HostAddress, Security } from "@ferry/client";
import { parse } from "yaml";
import { z } from "zod";
import { Failure } from "./failure.js";

const ADDRESS = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$/;
const HOST_ID = /^[a-z0-9][a-z0-9.-]{0,63}$/;

const PORT_MAX = 65_535;

function isAddress(text: string): boolean {
  const port = Number(ADDRESS.exec(text)?.[2] ?? 0);
  return port >= 1 && port <= PORT_MAX;
}

const address = z
  .string()
  .refine(isAddress, '"host:port" is wanted, e.g. "10.0.0.1:7701" or "[::1]:7701"');
const host = z.strictObject({
  source: address,
  destination: address,
  host_id: z.string().regex(HOST_ID, "1 to 64 of a-z 0-9 . -").nullable().optional(),
});
const path = z.string().min(1, "a path is wanted");
const schema = z
  .strictObject({
    hosts: z
      .record(z.string().regex(HOST_ID, "a host_id is wanted: 1 to 64 of a-z 0-9 . -"), host)
      .refine((hosts) => Object.keys(hosts).length > 0, "at least one host is wanted"),
    tls: z
      .strictObject({
        ca: path,
        cert: path,
        key: path,
        agent_name: z
          .string()
          .includes("{host}", { error: 'the name of a host\'s certificate, with "{host}" in it' })
          .optional(),
      })
      .optional(),
    plaintext: z.literal(true).optional(),
  })
  .refine(
    ({ tls, plaintext }) => (tls === undefined) !== (plaintext === undefined),
    "either tls: {ca, cert, key} or plaintext: true is wanted",
  );

export interface HostsFile {
  readonly path: string;
  readonly hosts: ReadonlyMap<string, HostAddress & Security>;
}

const EXAMPLE = `a hosts file looks like this:
  hosts:
    a: { source: "10.0.0.1:7701", destination: "10.0.0.1:7702" }
    b: { source: "10.0.0.2:7701", destination: "10.0.0.2:7702" }
  tls: { ca: certs/controller/ca.crt, cert: certs/controller/controller.crt, key: certs/controller/controller.key }`;

/** The file that was named, or the first of the usual ones that exists. */
export function locateHostsFile(named: string | undefined): string {
  if (named !== undefined) return named;
  const usual = ["ferry.yaml", join(homedir(), ".config/ferry/hosts.yaml")];
  const found = usual.find((each) => existsSync(each));
  if (found !== undefined) return found;
  throw new Failure(
    `no hosts file: neither ./${usual[0]} nor ${usual[1]} exists`,
    `Write one, or name one with --hosts or FERRY_HOSTS; ${EXAMPLE}`,
  );
}

export function readHostsFile(file: string): HostsFile {
  const parsed = schema.safeParse(readYaml(file));
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `\n  ${issue.path.map(String).join(".") || "the file"}: ${messageOf(issue)}`,
    );
    throw new Failure(`${file} is not a hosts file:${problems.join("")}`, `Mend it; ${EXAMPLE}`);
  }
  const { hosts, tls } = parsed.data;
  const here = dirname(file);
  const security: Security =
    tls === undefined
      ? { plaintext: true }
      : {
          tls: {
            ca: readPem(resolve(here, tls.ca)),
            cert: readPem(resolve(here, tls.cert)),
            key: readPem(resolve(here, tls.key)),
            ...(tls.agent_name === undefined ? {} : { agentName: tls.agent_name }),
          },
        };
  const entries = Object.entries(hosts).map(([name, { source, destination, host_id }]) => {
    const hostId = host_id === undefined ? name : host_id;
    const known = hostId === null ? {} : { hostId };
    return [name, { source, destination, ...known, ...security }] as const;
  });
  return { path: file, hosts: new Map(entries) };
}

/** A key that is wrong says why only within; what is not there is called that. */
export function messageOf(issue: z.core.$ZodIssue): string {
  if (/, received (undefined|null)$/.test(issue.message)) return "is missing";
  return (issue.code === "invalid_key" ? issue.issues[0]?.message : undefined) ?? issue.message;
}

/** Reads YAML, of which JSON is a part. */
export function readYaml(file: string): unknown {
  try {
    return parse(readFileSync(file, "utf8"));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure(`${file} cannot be read: ${why}`, "Check the path and the YAML in it.");
  }
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure(
      `a certificate cannot be read: ${why}`,
      "Paths in the hosts file are relative to it. `ferry certs init` makes certificates for trials.",
    );
  }
}
