/*
 * Goal: what deploy/kubernetes says is what Kubernetes understands, and is what the agents need. Method:
 * every overlay is rendered, each manifest is held against its published schema and its type (which
 * knows the fields that a schema only lets pass), kustomize is asked for the same where it is there, and
 * what must agree with Ferry's own configuration is compared with it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseConfig } from "@ferry/agent-kit";
import { Certificate } from "@kubernetes-models/cert-manager/cert-manager.io/v1/Certificate";
import { Issuer } from "@kubernetes-models/cert-manager/cert-manager.io/v1/Issuer";
import { PodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import { PrometheusRule } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule";
import { DaemonSet } from "kubernetes-models/apps/v1/DaemonSet";
import { ConfigMap } from "kubernetes-models/v1/ConfigMap";
import { Namespace } from "kubernetes-models/v1/Namespace";
import { ResourceQuota } from "kubernetes-models/v1/ResourceQuota";
import { ServiceAccount } from "kubernetes-models/v1/ServiceAccount";
import { parseAllDocuments } from "yaml";
import { type Manifest, render } from "./render.js";

const KUBERNETES = fileURLToPath(new URL("../../../deploy/kubernetes", import.meta.url));
const OVERLAYS = readdirSync(join(KUBERNETES, "overlays"));
const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));

interface Model {
  validate(): void;
}
/** Every kind that occurs: its schema, and where its type is. */
const KINDS: Readonly<Record<string, { model: new (data: never) => Model; module: string }>> = {
  Namespace: { model: Namespace, module: "kubernetes-models/v1/Namespace" },
  ServiceAccount: { model: ServiceAccount, module: "kubernetes-models/v1/ServiceAccount" },
  ConfigMap: { model: ConfigMap, module: "kubernetes-models/v1/ConfigMap" },
  ResourceQuota: { model: ResourceQuota, module: "kubernetes-models/v1/ResourceQuota" },
  DaemonSet: { model: DaemonSet, module: "kubernetes-models/apps/v1/DaemonSet" },
  Issuer: { model: Issuer, module: "@kubernetes-models/cert-manager/cert-manager.io/v1/Issuer" },
  Certificate: {
    model: Certificate,
    module: "@kubernetes-models/cert-manager/cert-manager.io/v1/Certificate",
  },
  PrometheusRule: {
    model: PrometheusRule,
    module: "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule",
  },
  PodMonitor: {
    model: PodMonitor,
    module: "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor",
  },
};

const rendered = new Map(
  OVERLAYS.map((name) => [name, render(join(KUBERNETES, "overlays", name))] as const),
);
const every = [...rendered].flatMap(([overlay, all]) => all.map((each) => ({ overlay, each })));

test("every manifest of every overlay holds to its schema", () => {
  for (const { overlay, each } of every) {
    const kind = KINDS[each.kind];
    assert.ok(kind, `${overlay}: ${each.kind} has no schema in this test`);
    try {
      new kind.model(each as never).validate();
    } catch (error) {
      assert.fail(`${overlay}: ${each.kind} ${each.metadata.name}: ${error}`);
    }
  }
});

test("no manifest has a field that its kind does not know", () => {
  const errors = typeErrors(every.map(({ each }) => each));
  assert.equal(errors, "");
  const wrong = structuredClone(daemonSetOf("secret")) as unknown as Manifest;
  Object.assign((wrong.spec as { template: object }).template, { hostPid: true });
  assert.match(typeErrors([wrong]), /hostPid/); // the method sees it
});

test("kustomize makes the same of it", () => {
  const probe = spawnSync("kubectl", ["kustomize", join(KUBERNETES, "base")], { encoding: "utf8" });
  for (const [overlay, ours] of rendered) {
    const path = join(KUBERNETES, "overlays", overlay);
    const done = spawnSync("kubectl", ["kustomize", path], { encoding: "utf8" });
    if (probe.error !== undefined) return; // it is not in Debian: then the renderer above stands alone
    assert.equal(done.status, 0, done.stderr);
    // A generated ConfigMap's name ends in a hash of what it says.
    const text = done.stdout.replaceAll(/\bferry-config-[a-z0-9]{10}\b/g, "ferry-config");
    const theirs = parseAllDocuments(text).map((each) => each.toJS() as Manifest);
    assert.deepEqual(byName(theirs), byName(ours), overlay);
  }
});

test("every container of every overlay runs the image that the overlay names", () => {
  for (const overlay of OVERLAYS) {
    const { containers, initContainers } = daemonSetOf(overlay).spec.template.spec;
    const images = [...initContainers, ...containers].map(({ image }) => image);
    assert.deepEqual([...new Set(images)], ["registry.example/ferry:0.1.0"], overlay);
  }
});

test("an agent has no right that it does not use, and shares nothing with a second generation", () => {
  const { spec } = daemonSetOf("secret");
  const pod = spec.template.spec;
  assert.deepEqual([pod.hostPID, pod.hostNetwork], [true, true]);
  assert.equal(pod.automountServiceAccountToken, false);
  assert.deepEqual(spec.updateStrategy.rollingUpdate, { maxUnavailable: 1, maxSurge: 0 });
  for (const container of pod.containers) {
    assert.deepEqual(container.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    const state = container.volumeMounts.filter(({ name }) => name === "state");
    assert.deepEqual(state, [{ name: "state", mountPath: "/var/lib/ferry" }]); // one mount for both
  }
});

test("no container keeps a capability that it does not use, and least of all a privileged one", () => {
  for (const overlay of OVERLAYS) {
    const { containers, initContainers } = daemonSetOf(overlay).spec.template.spec;
    for (const { name, command, securityContext } of [...initContainers, ...containers]) {
      const added = securityContext.capabilities.add ?? [];
      assert.deepEqual(
        added,
        name === "prepare-host" ? ["DAC_OVERRIDE"] : [],
        `${overlay}: ${name}`,
      );
      assert.deepEqual(securityContext.capabilities.drop, ["ALL"], `${overlay}: ${name}`);
      if (securityContext.privileged !== true) continue;
      // containerd gives it all of them, whatever `drop` says, so it is on its own here.
      const kept = ["-all", ...added.map((each) => `+${each.toLowerCase()}`)].join(",");
      const dropping = ["setpriv", `--bounding-set=${kept}`, "--inh-caps=-all", "--no-new-privs"];
      assert.deepEqual(command.slice(0, dropping.length), dropping, `${overlay}: ${name}`);
    }
  }
});

test("what a privileged container runs is what it runs without", () => {
  const programs = (overlay: string) => {
    const { containers, initContainers } = daemonSetOf(overlay).spec.template.spec;
    const ours = [...initContainers, ...containers].filter(({ name }) => name !== "certificates");
    return ours.map(({ command }) => {
      const first = command.findIndex((word) => word.startsWith("ferry-"));
      return command.slice(first);
    });
  };
  assert.deepEqual(programs("kvm"), programs("secret"));
});

test("a CA that cert-manager renews still vouches for what it signed before", () => {
  const isCa = ({ each }: { each: Manifest }) =>
    each.kind === "Certificate" && (each.spec as { isCA?: boolean }).isCA === true;
  const found = every.filter(isCa);
  assert.equal(found.length, 1);
  for (const { each } of found) {
    const { privateKey } = each.spec as { privateKey: { rotationPolicy?: string } };
    assert.equal(privateKey.rotationPolicy, "Never");
  }
});

test("the agents' files are good configurations, and agree with the pod about ports and patience", () => {
  const { spec } = daemonSetOf("secret");
  const pod = spec.template.spec;
  for (const [index, role] of (["source", "destination"] as const).entries()) {
    const text = readFileSync(join(KUBERNETES, "base", `${role}.yaml`), "utf8");
    assert.match(text, /^ {2}cgroups: auto$/m);
    const config = parseConfig(text.replace("cgroups: auto", "cgroups: []"), role); // of this machine
    const container = pod.containers[index];
    assert.equal(container?.name, role);
    const ports = container?.ports.map(({ containerPort }) => containerPort);
    const listens = [config.listen, config.healthListen, config.metricsListen];
    assert.deepEqual(
      ports,
      listens.map((address) => Number(address?.split(":").at(-1))),
    );
    assert.equal(container?.readinessProbe.grpc.port, ports?.[1]);
    assert.equal(container?.livenessProbe.grpc.port, ports?.[1]);
    assert.equal(container?.livenessProbe.grpc.service, "ferry.liveness");
    // An agent that hangs does not drain: it, and its tethers, are not given the pod's patience.
    assert.ok((container?.livenessProbe.terminationGracePeriodSeconds ?? Infinity) <= 10, role);
    assert.ok(pod.terminationGracePeriodSeconds * 1000 >= config.timeouts.drainMs + 10_000, role);
  }
});

interface Program {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly securityContext: {
    readonly privileged?: boolean;
    readonly capabilities: { readonly drop: readonly string[]; readonly add?: readonly string[] };
  };
}

/** What this test reads of it. */
interface Agents {
  readonly spec: {
    readonly updateStrategy: { readonly rollingUpdate: unknown };
    readonly template: {
      readonly spec: {
        readonly hostPID: boolean;
        readonly hostNetwork: boolean;
        readonly automountServiceAccountToken: boolean;
        readonly terminationGracePeriodSeconds: number;
        readonly initContainers: readonly Program[];
        readonly containers: readonly (Program & {
          readonly ports: readonly { readonly containerPort: number }[];
          readonly readinessProbe: { readonly grpc: { readonly port: number } };
          readonly livenessProbe: {
            readonly grpc: { readonly port: number; readonly service: string };
            readonly terminationGracePeriodSeconds?: number;
          };
          readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
        })[];
      };
    };
  };
}

function daemonSetOf(overlay: string): Agents {
  const found = rendered.get(overlay)?.find(({ kind }) => kind === "DaemonSet");
  assert.ok(found);
  return found as unknown as Agents; // the schema was checked above
}

function byName(all: readonly Manifest[]): Record<string, Manifest> {
  return Object.fromEntries(
    all.map((each) => [`${each.kind}/${each.metadata.name}`, inOrder(each) as Manifest]),
  );
}

/** Lists of named things say the same in any order, but for init containers, which stand first to last. */
function inOrder(value: unknown, field = ""): unknown {
  if (Array.isArray(value)) {
    const all = value.map((each) => inOrder(each));
    return field === "volumes" || field === "volumeMounts"
      ? all.sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))
      : all;
  }
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).sort(([a], [b]) => a.localeCompare(b));
  return Object.fromEntries(fields.map(([name, each]) => [name, inOrder(each, name)]));
}

/** What the compiler says of the manifests, written down as what they claim to be. */
function typeErrors(all: readonly Manifest[]): string {
  // Inside the repository, where the types are found.
  const dir = mkdtempSync(join(REPOSITORY, "test/dist/manifests-"));
  try {
    const lines = all.flatMap((each, index) => [
      `import type { I${each.kind} as Kind${index} } from "${KINDS[each.kind]?.module}";`,
      `export const manifest${index}: Kind${index} = ${JSON.stringify(each)};`,
    ]);
    writeFileSync(join(dir, "manifests.ts"), lines.join("\n"));
    const compiler = join(REPOSITORY, "node_modules/.bin/tsc");
    const options = ["--ignoreConfig", "--noEmit", "--strict", "--skipLibCheck", "--types", ""];
    const modules = ["--module", "nodenext", "--target", "es2022"];
    const done = spawnSync(compiler, [...options, ...modules, join(dir, "manifests.ts")], {
      encoding: "utf8",
      cwd: dir,
    });
    return done.status === 0 ? "" : done.stdout + done.stderr;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
