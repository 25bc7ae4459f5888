/*
 * As much of kustomize as deploy/kubernetes uses, so that its overlays can be checked where kustomize is
 * not to be had: resources, components, strategic merge patches, generated ConfigMaps, images and a
 * namespace. Whatever else a kustomization says is refused, as is a patch that finds nothing to patch.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments } from "yaml";

type Fields = { [name: string]: Value };
type Value = string | number | boolean | null | Value[] | Fields;

export interface Manifest extends Fields {
  apiVersion: string;
  kind: string;
  metadata: Fields & { name: string };
}

interface Kustomization {
  readonly apiVersion: string;
  readonly kind: "Kustomization" | "Component";
  readonly namespace?: string;
  readonly resources?: readonly string[];
  readonly components?: readonly string[];
  readonly patches?: readonly { readonly path: string }[];
  readonly configMapGenerator?: readonly {
    readonly name: string;
    readonly files: readonly string[];
  }[];
  readonly images?: readonly {
    readonly name: string;
    readonly newName: string;
    readonly newTag: string;
  }[];
}

const KNOWN = new Set<string>([
  ...["apiVersion", "kind", "namespace", "resources", "components", "patches"],
  ...["configMapGenerator", "images"],
]);
/** By what an entry of a list is known, as Kubernetes declares it; another list is replaced whole. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: "name",
  initContainers: "name",
  volumes: "name",
  env: "name",
  volumeMounts: "mountPath",
};
const OF_NO_NAMESPACE = new Set(["Namespace"]);

/** Everything that an overlay consists of, patched. */
export function render(dir: string, before: readonly Manifest[] = []): Manifest[] {
  const plan = parse(readFileSync(join(dir, "kustomization.yaml"), "utf8")) as Kustomization;
  const strange = Object.keys(plan).find((name) => !KNOWN.has(name));
  if (strange !== undefined) throw new Error(`${dir}: ${strange} is not checked here`);

  let all = [...before];
  for (const each of plan.resources ?? []) {
    const path = join(dir, each);
    all.push(...(each.endsWith(".yaml") ? manifests(path) : render(path)));
  }
  for (const { name, files } of plan.configMapGenerator ?? []) {
    const data = Object.fromEntries(
      files.map((file) => [file, readFileSync(join(dir, file), "utf8")]),
    );
    all.push({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });
  }
  for (const each of plan.components ?? []) all = render(join(dir, each), all);
  for (const { path } of plan.patches ?? []) {
    for (const patch of manifests(join(dir, path))) all = patched(all, patch, join(dir, path));
  }
  for (const { name, newName, newTag } of plan.images ?? []) {
    all = all.map((each) => withImage(each, name, `${newName}:${newTag}`) as Manifest);
  }
  const { namespace } = plan;
  if (namespace === undefined) return all;
  return all.map((each) =>
    OF_NO_NAMESPACE.has(each.kind) ? each : { ...each, metadata: { ...each.metadata, namespace } },
  );
}

function manifests(path: string): Manifest[] {
  return parseAllDocuments(readFileSync(path, "utf8"), { merge: false }).map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(`${path}: ${error.message}`);
    const manifest = document.toJS() as Manifest;
    if (!manifest?.apiVersion || !manifest.kind || !manifest.metadata?.name) {
      throw new Error(`${path}: apiVersion, kind and metadata.name are wanted`);
    }
    return manifest;
  });
}

function patched(all: readonly Manifest[], patch: Manifest, path: string): Manifest[] {
  const isIt = (each: Manifest) =>
    each.kind === patch.kind && each.metadata.name === patch.metadata.name;
  if (all.filter(isIt).length !== 1) {
    throw new Error(`${path}: there is not one ${patch.kind} ${patch.metadata.name} to patch`);
  }
  return all.map((each) => (isIt(each) ? (merged(each, patch, "") as Manifest) : each));
}

function merged(base: Value | undefined, patch: Value, name: string): Value {
  const key = MERGE_KEYS[name];
  if (Array.isArray(patch) && Array.isArray(base) && key !== undefined) {
    return mergedList(base as Fields[], patch as Fields[], key);
  }
  if (!isFields(patch)) return patch;
  const result: Fields = isFields(base) ? { ...base } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field];
    else result[field] = merged(result[field], value, field);
  }
  return result;
}

/** New entries come first, as kustomize puts them. */
function mergedList(base: readonly Fields[], patch: readonly Fields[], key: string): Fields[] {
  const fresh = patch.filter((each) => !base.some((old) => old[key] === each[key]));
  const old = base.map((each) => {
    const change = patch.find((one) => one[key] === each[key]);
    return change === undefined ? each : (merged(each, change, "") as Fields);
  });
  return [...fresh.map((each) => merged(undefined, each, "") as Fields), ...old];
}

function withImage(value: Value, name: string, image: string): Value {
  if (Array.isArray(value)) return value.map((each) => withImage(each, name, image));
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([field, each]) => [
      field,
      field === "image" && each === name ? image : withImage(each, name, image),
    ]),
  );
}

function isFields(value: Value | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
