/* Where a migration's bytes go: a port of another QEMU, or a unix socket whose other end carries on. */

export type Endpoint =
  | {
      readonly kind: "tcp";
      readonly host: string;
      readonly port: number;
      /** Directory of the pre-shared key's file; without one the bytes are plain. */
      readonly key?: { readonly dir: string };
    }
  | { readonly kind: "unix"; readonly path: string };

/** As QEMU's `migrate` and `migrate-incoming` read it (qapi: uri). */
export function toUri(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return `unix:${endpoint.path}`;
  const { host, port } = endpoint;
  const bracketed = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  return `tcp:${bracketed}:${port}`;
}

export function keyDirOf(endpoint: Endpoint): string | undefined {
  return endpoint.kind === "tcp" ? endpoint.key?.dir : undefined;
}
