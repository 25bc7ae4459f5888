/*
 * Reads an agent's YAML file. Every complaint names the key and its line, and all of them are told
 * at once: a person mends a file once, not once per mistake.
 */
import { readFileSync } from "node:fs";
import { type Document, isMap, isScalar, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { type AgentRole, type Config, configOf, configSchema } from "./config.js";

/** The file cannot be used. The message is for a person, and whole. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads and checks the file at `path`. Without a path everything is at its default. */
export function loadConfig(path: string | undefined, role: AgentRole): Config {
  if (path === undefined) return parseConfig("", role, "defaults");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`the configuration cannot be read: ${why}`, { cause: error });
  }
  return parseConfig(text, role, path);
}

/** Checks a configuration; `name` is what complaints call it. */
export function parseConfig(text: string, role: AgentRole, name = "configuration"): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined) throw new ConfigError(`${name}: ${broken.message}`);
  const checked = configSchema.safeParse(document.toJS() ?? {});
  if (!checked.success) {
    const told = checked.error.issues.flatMap((issue) => complaints(issue, document, lines));
    throw new ConfigError(told.map((each) => `${name}:${each}`).join("\n"));
  }
  return configOf(checked.data, role);
}

function complaints(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): string[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const whole = [...path, key];
      const known = knownKeys(path);
      return `${lineOf(whole, document, lines)}: ${whole.join(".")} is not a key Ferry knows; known here: ${known.join(", ")}`;
    });
  }
  const where = path.length === 0 ? "the file" : path.join(".");
  return [`${lineOf(path, document, lines)}: ${where}: ${issue.message}`];
}

/** The line a key stands on; where it is missing, its parent's. */
function lineOf(path: readonly string[], document: Document, lines: LineCounter): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const name of path) {
    if (!isMap(node)) break;
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === name);
    if (pair === undefined) break;
    if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
    node = pair.value;
  }
  return lines.linePos(offset).line || 1;
}

/** The keys the schema has at `path`, to help with a misspelt one. */
function knownKeys(path: readonly string[]): string[] {
  const defaults: unknown = configSchema.parse({});
  const there = path.reduce<unknown>(
    (at, name) => (at as Record<string, unknown> | undefined)?.[name], // plain objects all the way
    defaults,
  );
  return Object.keys(there ?? {});
}
