/*
 * Reads an agent's configuration file: which keys there are is in config.ts, and how complaints are
 * worded in yaml-file.ts.
 */
import { type AgentRole, type Config, configOf, configSchema } from "./config.js";
import { parseYaml, readText } from "./yaml-file.js";

/** Reads and checks the file at `path`. Without a path everything is at its default. */
export function loadConfig(path: string | undefined, role: AgentRole): Config {
  if (path === undefined) return parseConfig("", role, "defaults");
  return parseConfig(readText(path, "the configuration"), role, path);
}

/** Checks a configuration; `name` is what complaints call it. */
export function parseConfig(text: string, role: AgentRole, name = "configuration"): Config {
  return configOf(parseYaml(text, { schema: configSchema, name, known }), role);
}

/** The keys the schema has at `path`. */
function known(path: readonly string[]): string[] {
  const defaults: unknown = configSchema.parse({});
  const there = path.reduce<unknown>(
    (at, name) => (at as Record<string, unknown> | undefined)?.[name], // plain objects all the way
    defaults,
  );
  return Object.keys(there ?? {});
}
