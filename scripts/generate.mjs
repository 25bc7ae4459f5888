/*
 * Makes packages/contract/src/gen from the .proto files: the types and service definitions (ts-proto),
 * one index that names them, and the descriptor set that server reflection answers with.
 *
 *   node scripts/generate.mjs           regenerates what is committed
 *   node scripts/generate.mjs --check   fails if that would change anything (CI), or if the contract is
 *                                       not lint-clean, or breaks proto/baseline.binpb
 *   node scripts/generate.mjs --baseline   takes the contract as it is for the new baseline (a release)
 *
 * Everything comes out of `npm ci`: buf's binary is an optional dependency, and the protos of google.rpc,
 * health and reflection ship inside npm packages. Nothing is downloaded and no install script is needed.
 */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);
const generated = "packages/contract/src/gen";
const baseline = "proto/baseline.binpb";
/** What other packages ship, under the names the descriptors shall carry. */
const borrowed = {
  "google/rpc/status.proto": "google-proto-files/google/rpc/status.proto",
  "google/rpc/error_details.proto": "google-proto-files/google/rpc/error_details.proto",
  "grpc/health/v1/health.proto": "grpc-health-check/proto/health/v1/health.proto",
  "grpc/reflection/v1/reflection.proto":
    "@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto",
};

const mode = process.argv[2] ?? "write";
if (!["write", "--check", "--baseline"].includes(mode)) {
  process.stderr.write("usage: node scripts/generate.mjs [--check | --baseline]\n");
  process.exit(2);
}

if (mode === "--baseline") {
  buf("build", "--exclude-source-info", "--output", baseline);
  process.exit(0);
}

if (mode === "--check") {
  buf("lint");
  if (existsSync(join(root, baseline))) buf("breaking", "--against", baseline);
}

mkdirSync(join(root, ".cache"), { recursive: true });
const work = mkdtempSync(join(root, ".cache", "generate-"));
try {
  const inputs = join(work, "proto");
  cpSync(join(root, "proto/ferry"), join(inputs, "ferry"), { recursive: true });
  for (const [name, from] of Object.entries(borrowed)) {
    mkdirSync(join(inputs, dirname(name)), { recursive: true });
    cpSync(shipped(from), join(inputs, name));
  }
  const set = join(work, "set.binpb");
  buf("build", inputs, "--exclude-source-info", "--output", set);
  const template = readFileSync(join(root, "buf.gen.yaml"), "utf8");
  const fresh = join(work, "gen");
  writeFileSync(join(work, "buf.gen.yaml"), template.replace(generated, fresh));
  buf("generate", inputs, "--template", join(work, "buf.gen.yaml"));
  writeFileSync(join(fresh, "index.ts"), index(readFileSync(set)));
  writeFileSync(join(fresh, "descriptor-set.ts"), descriptorSet(readFileSync(set)));

  const changed = differences(fresh, join(root, generated));
  if (mode === "--check") {
    if (changed.length > 0) {
      process.stderr.write(
        `generated code is stale, run: npm run generate\n${changed.join("\n")}\n`,
      );
      process.exitCode = 1;
    }
  } else {
    rmSync(join(root, generated), { recursive: true, force: true });
    cpSync(fresh, join(root, generated), { recursive: true });
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** Runs buf from the root of the repository, its complaints on our stderr. */
function buf(...args) {
  try {
    execFileSync(process.execPath, [join(packageOf("@bufbuild/buf"), "bin/buf"), ...args], {
      cwd: root,
      stdio: ["ignore", 2, 2],
    });
  } catch {
    process.exit(1);
  }
}

/** A file of an installed package, whatever its `exports` admit to. */
function shipped(path) {
  const [scope, name] = path.split("/");
  const owner = path.startsWith("@") ? `${scope}/${name}` : scope;
  return join(packageOf(owner), path.slice(owner.length + 1));
}

function packageOf(name) {
  for (const directory of require.resolve.paths(name) ?? []) {
    if (existsSync(join(directory, name))) return join(directory, name);
  }
  throw new Error(`${name} is not installed: run npm ci`);
}

/**
 * One list of names for ferry.v1 and health, since every generated file also exports helpers of the
 * same names. What borrowed packages call Status and Help stays in namespaces of its own.
 */
function index(bytes) {
  const lines = ["// Made by scripts/generate.mjs. Do not edit."];
  for (const file of files(bytes)) {
    const from = `"./${file.name.replace(/\.proto$/, ".js")}"`;
    if (file.package === "google.rpc") continue;
    if (file.package !== "ferry.v1" && !file.package.startsWith("grpc.")) continue;
    const names = [
      ...file.enumType.map((each) => each.name),
      ...file.messageType.flatMap((message) => messageNames(message, "")),
      ...file.service.flatMap((service) => [
        `${service.name}Client`,
        `type ${service.name}Server`,
        `${service.name}Service`,
      ]),
    ];
    lines.push(`export {\n${names.map((name) => `  ${name},\n`).join("")}} from ${from};`);
  }
  return `${lines.join("\n")}\n`;
}

function messageNames(message, prefix) {
  if (message.options?.mapEntry) return [];
  const name = `${prefix}${message.name}`;
  return [
    name,
    ...message.enumType.map((each) => `${name}_${each.name}`),
    ...message.nestedType.flatMap((nested) => messageNames(nested, `${name}_`)),
  ];
}

function descriptorSet(bytes) {
  const lines = Buffer.from(bytes)
    .toString("base64")
    .match(/.{1,96}/g)
    .map((line) => `  "${line}",\n`);
  return `// Made by scripts/generate.mjs. Do not edit.\n/** A google.protobuf.FileDescriptorSet with every import, in base64. */\nexport const descriptorSet: readonly string[] = [\n${lines.join("")}];\n`;
}

function files(bytes) {
  return fromBinary(FileDescriptorSetSchema, bytes).file;
}

/** Names of the files that are missing, superfluous or different. */
function differences(fresh, committed) {
  const listed = (directory) =>
    existsSync(directory)
      ? readdirSync(directory, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) =>
            join(entry.parentPath ?? entry.path, entry.name).slice(directory.length + 1),
          )
      : [];
  const names = new Set([...listed(fresh), ...listed(committed)]);
  return [...names].sort().filter((name) => {
    const [one, other] = [join(fresh, name), join(committed, name)];
    return !existsSync(one) || !existsSync(other) || !readFileSync(one).equals(readFileSync(other));
  });
}
