/*
 * Certificates for a test's hosts and its controller, made the way a person would: by the command.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Security } from "@ferry/client";
import type { Place } from "./network.js";

const ferry = fileURLToPath(new URL("../../../services/ferry/dist/main.js", import.meta.url));

/** Makes them in `dir`, and gives what the controller shows and trusts. */
export function makeCertificates(dir: string, places: readonly Place[]): Security {
  const hosts = places.flatMap(({ name, address }) => ["--host", `${name}=${address}`]);
  execFileSync(process.execPath, [ferry, "certs", "init", "--dir", dir, ...hosts], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const read = (name: string) => readFileSync(join(dir, "controller", name));
  return {
    tls: { ca: read("ca.crt"), cert: read("controller.crt"), key: read("controller.key") },
  };
}

/** What a host's agents are told in their configuration. */
export function certificateFiles(
  dir: string,
  hostId: string,
): Record<"cert" | "key" | "ca", string> {
  const file = (name: string) => join(dir, hostId, name);
  return { cert: file("host.crt"), key: file("host.key"), ca: file("ca.crt") };
}
