/*
 * Checks what can be checked of the code's shape: who may import what, files nobody reaches, sleeps in
 * tests, TODOs that belong to nobody. Formatting and types are others' business (biome, tsc), and so are
 * unused exports and dependencies (knip).
 *
 *   node scripts/tidy.mjs [ROOT]
 *
 * Product code is what an entry reaches (index.ts, main.ts, a program whose opening comment says how it is
 * run, what a workspace's own script imports); what only tests reach is test support, and its name says so;
 * what nobody reaches is dead.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url)));

/** Who stands on whose shoulders: an import goes to a lower number, never beside or up. */
const LAYERS = [
  ["protocol"],
  ["contract", "qmp", "monitoring"],
  ["qemu", "store", "tether", "tunnel"],
  ["agent-kit", "client"],
  ["source-agent", "destination-agent", "cli"],
  ["test"],
];
/** Which workspaces' product code may use what, as a module or a word in the text. */
const RESERVED = [
  {
    what: /^node:child_process$/,
    where: /^packages\/(qemu|tunnel)\/|^packages\/store\/src\/lock\.ts$/,
  },
  // Loaded only where a collector is configured.
  { what: /^@opentelemetry\//, where: /^packages\/agent-kit\/src\/otlp\.ts$/ },
  { what: /^@grpc\//, where: /^packages\/(contract|tether|tunnel|agent-kit|client)\/|^services\// },
];
const ENVIRONMENT = /^packages\/agent-kit\/src\/config|^services\/ferry\//;
/** small-heap is imported by its own name, before anything else is loaded. */
const ENTRY = /(^|[/-])(index|main|bench|small-heap)\.ts$/;
const TEST = /\.test\.ts$/;
/** What only tests and measurements use. The image leaves it out by these names (deploy/image/app.sh). */
const SUPPORT = /\/(?:test-[^/]*|fake-[^/]*|fixture.*|[^/]*-for-tests|bench)\.ts$/;
/** How tests stop an agent between two steps, or break its disk: nothing that is shipped may know of it. */
const PAUSE_POINT = /@ferry\/test|installHooks|syncBuiltinESMExports|Object\.assign\(realDisk/;
/** What a test does not do; a helper's bounded loop that looks again and again is something else. */
const SLEEP =
  /await (?:sleep|delay|setTimeout)\(|setTimeout\(\s*(?:resolve|done|r)\b|setTimeout as (?:sleep|delay)/;
const TODO = /\b(?:TODO|FIXME|XXX)\b(?!\([\w.-]+\))/;

const files = new Map();
const complaints = [];
for (const workspace of workspaces()) {
  if (layerOfWorkspace(workspace) === undefined) {
    complain(workspace, "has no place in LAYERS (scripts/tidy.mjs)");
  }
  for (const path of sources(join(workspace, "src"))) {
    const text = readFileSync(join(root, path), "utf8");
    files.set(path, { workspace, text, imports: importsOf(path, text) });
  }
}
const entries = [...files.keys()].filter(
  (path) => !TEST.test(path) && (ENTRY.test(path) || saysHowItIsRun(path)),
);
entries.push(...importedByScripts());
const tests = [...files.keys()].filter((path) => TEST.test(path));
const product = reached(entries);
const shipped = reached(entries.filter((path) => !SUPPORT.test(path)));
const alive = reached([...entries, ...tests]);

for (const [path, { workspace, text, imports }] of files) {
  const isProduct = product.has(path) && !workspace.startsWith("test");
  if (!alive.has(path)) complain(path, "nothing reaches this file: remove it, or import it");
  else if (!workspace.startsWith("test")) checkShipping(path, text);
  for (const { name, target } of imports) {
    checkLayer(path, workspace, name);
    if (target !== undefined && !files.has(target)) complain(path, `${name} is not there`);
    if (target !== undefined && isProduct && TEST.test(target)) complain(path, `${name} is a test`);
    for (const { what, where } of isProduct ? RESERVED : []) {
      if (what.test(name) && !where.test(path)) complain(path, `${name} is not for this place`);
    }
  }
  if (isProduct && /\bprocess\.env\b/.test(text) && !ENVIRONMENT.test(path)) {
    complain(path, "process.env is read in the configuration and nowhere else");
  }
  for (const [index, line] of text.split("\n").entries()) {
    if (TODO.test(line))
      complain(path, `line ${index + 1}: a TODO needs an owner, as in TODO(ana)`);
    if (TEST.test(path) && SLEEP.test(line)) {
      complain(
        path,
        `line ${index + 1}: a test waits for a condition, with a bound, and never sleeps`,
      );
    }
  }
}
if (files.size === 0) complain(root, "no source was found: this checked nothing");
for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
process.stdout.write(`tidy: ${files.size} files, ${complaints.length} complaints\n`);
process.exitCode = complaints.length > 0 ? 1 : 0;

function complain(path, what) {
  complaints.push(`${path}: ${what}`);
}

function checkShipping(path, text) {
  if (!shipped.has(path)) {
    if (!TEST.test(path) && !SUPPORT.test(path)) {
      complain(path, "only tests use this file: name it …-for-tests.ts, so that it is not shipped");
    }
    return;
  }
  if (SUPPORT.test(path))
    complain(path, "the image leaves it out by its name: give it another one");
  if (PAUSE_POINT.test(text)) complain(path, "what is shipped knows of no pause point");
}

function checkLayer(path, workspace, name) {
  const own = layerOf(
    workspace
      .split("/")
      .at(-1)
      .replace(/^ferry$/, "cli"),
  );
  const other = /^@ferry\/([^/]+)/.exec(name)?.[1];
  if (own === 0 && !name.startsWith(".") && !TEST.test(path)) {
    complain(path, `${name}: the tables import nothing`);
  }
  if (other === undefined || own === undefined) return;
  const theirs = layerOf(other);
  if (theirs === undefined) complain(path, `${name} has no place in LAYERS (scripts/tidy.mjs)`);
  else if (theirs >= own) complain(path, `${name}: imports point one way, from ${own} to below it`);
}

function layerOfWorkspace(workspace) {
  return layerOf(
    workspace
      .split("/")
      .at(-1)
      .replace(/^ferry$/, "cli"),
  );
}

function layerOf(name) {
  const index = LAYERS.findIndex((names) => names.includes(name));
  return index === -1 ? undefined : index;
}

function saysHowItIsRun(path) {
  const built = path.replace("/src/", "/dist/").replace(/ts$/, "js");
  return files.get(path).text.includes(`node ${built}`);
}

/** What scripts beside a workspace's sources use of its build. */
function importedByScripts() {
  return workspaces().flatMap((workspace) => {
    const dir = join(root, workspace, "scripts");
    const scripts = existsSync(dir) ? readdirSync(dir).filter((name) => name.endsWith(".mjs")) : [];
    const texts = scripts.map((name) => readFileSync(join(dir, name), "utf8"));
    const built = texts.flatMap((text) => [...text.matchAll(/"\.\.\/dist\/([\w/-]+)\.js"/g)]);
    return built.map(([, name]) => join(workspace, "src", `${name}.ts`));
  });
}

/** Every file that can be reached from these; a test is reached only as a beginning. */
function reached(from) {
  const seen = new Set();
  const left = [...from];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    if (seen.has(path) || !files.has(path)) continue;
    seen.add(path);
    for (const { target } of files.get(path).imports) if (target !== undefined) left.push(target);
  }
  return seen;
}

/** What a file imports, and the programs beside it that it names by `new URL`. */
function importsOf(path, text) {
  const code = text.replace(/^\s*(?:\*|\/\/|\/\*).*$/gm, "");
  const found = code.matchAll(/\b(?:from|import)\s*\(?\s*"([^"]+)"|new URL\("([^":]+\.js)"/g);
  return [...found].map(([, imported, named]) => {
    const name = imported ?? named;
    if (named === undefined && !name.startsWith(".")) return { name };
    const target = join(dirname(path), name).replace(/\.js$/, ".ts");
    return named !== undefined && !existsSync(join(root, target)) ? { name } : { name, target };
  });
}

function workspaces() {
  const inside = (kind) =>
    existsSync(join(root, kind))
      ? readdirSync(join(root, kind)).map((name) => join(kind, name))
      : [];
  return [...inside("packages"), ...inside("services"), "test"];
}

function sources(dir) {
  if (!existsSync(join(root, dir))) return [];
  return readdirSync(join(root, dir), { recursive: true })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => relative(root, join(root, dir, name)));
}
