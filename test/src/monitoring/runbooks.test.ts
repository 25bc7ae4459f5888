/*
 * Goal: whoever reads a runbook at night finds what it names: metrics with those labels and values, commands with
 * those options, words in the log. Method: every name in the pages for people on call, looked up where it comes from.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { makeMetrics } from "@ferry/agent-kit";
import { startFerry } from "@ferry/cli/command-for-tests";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const PAGES = [
  "docs/operations.md",
  "docs/security.md",
  "docs/deployment.md",
  "docs/controller.md",
];
const RUNBOOKS = readdirSync(join(root, "docs/runbooks")).map((name) => `docs/runbooks/${name}`);
const read = (page: string) => readFileSync(join(root, page), "utf8");
/** What stands between backticks, and the lines of blocks. */
const codeIn = (text: string) => [
  ...[...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].flatMap(([, block = ""]) => block.split("\n")),
  ...[...text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/`([^`\n]+)`/g)].map(
    ([, span = ""]) => span,
  ),
];

const told = new Map<string, { readonly labels: readonly string[]; readonly text: string }>();
for (const role of ["source", "destination"] as const) {
  const { registry } = makeMetrics({ role });
  for (const { name } of registry.getMetricsAsArray()) {
    const metric = registry.getSingleMetric(name) as unknown as { labelNames: string[] }; // every kind has them
    const text = (told.get(name)?.text ?? "") + (await registry.getSingleMetricAsString(name));
    told.set(name, { labels: metric.labelNames, text });
  }
}

/** Labels whose every value is there from the start. */
const KNOWN = ["cause", "code", "direction", "file", "kind", "why"];

test("every metric that a page names is told, with the labels and the values it names", () => {
  let named = 0;
  for (const page of [...PAGES, ...RUNBOOKS]) {
    const names = read(page).matchAll(
      /\b((?:ferry|grpc_server|nodejs)_[a-z0-9_]+)(?:\{([^}]*)\})?/g,
    );
    for (const [whole, name = "", labels = ""] of names) {
      if (["ferry_host", "grpc_server"].includes(name)) continue;
      const metric = told.get(name.replace(/_(bucket|count|sum)$/, ""));
      assert.ok(metric, `${page}: ${whole} is told by nobody`);
      named += 1;
      for (const [, label = "", value] of labels.matchAll(/(\w+)(?:=~?"([^"]*)")?/g)) {
        assert.ok(metric.labels.includes(label), `${page}: ${whole} has no label ${label}`);
        if (value === undefined || !KNOWN.includes(label)) continue;
        assert.ok(
          metric.text.includes(`${label}="${value}"`),
          `${page}: ${whole} is never ${value}`,
        );
      }
    }
  }
  assert.ok(named > 60, `${named}`);
});

test("every command that a page names is one, and has the options it is given", async () => {
  const help = new Map<string, Promise<string>>();
  const helpOf = (command: string) => {
    const asked =
      help.get(command) ??
      startFerry([...command.split(" "), "--help"]).done.then(({ out }) => out);
    help.set(command, asked);
    return asked;
  };
  const commands = [...(await helpOf("")).matchAll(/^ {2}([a-z]+)[ |]/gm)].map(([, name]) => name);
  assert.ok(commands.includes("resolve"));
  let named = 0;
  for (const page of ["README.md", ...PAGES, ...RUNBOOKS]) {
    for (const code of codeIn(read(page))) {
      const [, words = ""] = /^(?:npx )?ferry ((?:[^#"]|"[^"]*")*)/.exec(code.trim()) ?? [];
      const [command = "", below = ""] = words.split(/\s+/);
      if (!/^[a-z]+$/.test(command)) continue;
      assert.ok(commands.includes(command), `${page}: ferry ${command}`);
      const text = await helpOf(
        command === "certs" && /^[a-z]+$/.test(below) ? `certs ${below}` : command,
      );
      for (const [option] of words.matchAll(/--[a-z-]+/g)) {
        assert.ok(text.includes(`${option}`), `${page}: ${code}: there is no ${option}`);
      }
      named += 1;
    }
  }
  assert.ok(named > 40, `${named}`);
});

test("every line of a log that a runbook quotes is one that an agent writes", () => {
  const sources = ["packages", "services"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\/src\/.*\.ts$/.test(name) && !name.includes("node_modules"))
      .map((name) => readFileSync(join(root, folder, name), "utf8")),
  );
  let quoted = 0;
  for (const page of RUNBOOKS) {
    for (const [, words = ""] of read(page).matchAll(/`([A-Z]?[a-zA-Z']+(?: [a-zA-Z']+){2,})`/g)) {
      if (/^(ferry|kubectl|systemctl) /.test(words)) continue;
      quoted += 1;
      assert.ok(
        sources.some((text) => text.includes(words)),
        `${page}: ${words}`,
      );
    }
  }
  assert.ok(quoted > 3, `${quoted}`);
});
