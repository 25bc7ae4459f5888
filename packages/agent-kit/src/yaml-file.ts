/*
 * Reads a YAML file that a person wrote. Every complaint names the key and its line, and all of them
 * are told at once: a person mends a file once, not once per mistake.
 */
import { readFileSync } from "node:fs";
import { type Document, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from "yaml";
import type { z } from "zod";

/** The file cannot be used. The message is for a person, and whole. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

export interface YamlForm<Schema extends z.ZodType> {
  readonly schema: Schema;
  /** What complaints call the file. */
  readonly name: string;
  /** The keys that may stand at `path`, to help with a misspelt one. */
  known(path: readonly string[]): readonly string[];
}

/** The text of the file at `path`; `what` it is, for the complaint. */
export function readText(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`${what} cannot be read: ${why}`, { cause: error });
  }
}

/** What the text says, checked. Throws a ConfigError. */
export function parseYaml<Schema extends z.ZodType>(
  text: string,
  form: YamlForm<Schema>,
): z.output<Schema> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined) throw new ConfigError(`${form.name}: ${broken.message}`);
  const alias = danglingAlias(document);
  if (alias !== undefined) {
    const { line } = lines.linePos(alias.offset);
    throw new ConfigError(
      `${form.name}:${line}: *${alias.name} is an alias of nothing: put a value that begins with * in quotes`,
    );
  }
  const checked = form.schema.safeParse(document.toJS() ?? {});
  if (checked.success) return checked.data;
  const told = checked.error.issues.flatMap((issue) => complaints(issue, form, document, lines));
  throw new ConfigError(told.map((each) => `${form.name}:${each}`).join("\n"));
}

/** YAML takes `- *.ops.example` for a reference to something named ".ops.example". */
function danglingAlias(document: Document): { name: string; offset: number } | undefined {
  let found: { name: string; offset: number } | undefined;
  visit(document, {
    Alias: (_key, node) => {
      if (node.resolve(document) !== undefined) return undefined;
      found = { name: node.source, offset: node.range?.[0] ?? 0 };
      return visit.BREAK;
    },
  });
  return found;
}

function complaints(
  issue: z.core.$ZodIssue,
  form: Pick<YamlForm<z.ZodType>, "known">,
  document: Document,
  lines: LineCounter,
): string[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const whole = [...path, key];
      const known = form.known(path);
      return `${lineOf(whole, document, lines)}: ${whole.join(".")} is not a key Ferry knows; known here: ${known.join(", ")}`;
    });
  }
  const where = path.length === 0 ? "the file" : path.join(".");
  return [`${lineOf(path, document, lines)}: ${where}: ${issue.message}`];
}

/** The line a key or an entry of a list stands on; where it is missing, its parent's. */
function lineOf(path: readonly string[], document: Document, lines: LineCounter): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const name of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === name);
      if (pair === undefined) break;
      if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(name)];
      if (isScalar(node) || isMap(node) || isSeq(node)) offset = node.range?.[0] ?? offset;
    } else break;
  }
  return lines.linePos(offset).line || 1;
}
