/*
 * Goal: a person, or a script, gets what --help promises: output, exit codes, and errors that say what
 * to do next. Method: the command itself, as a process, against two scripted agents.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawnSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { FakeAgents, fault, gate, type Script } from "@ferry/client/fake-agents";
import { MAIN, type Ran, type Running, startFerry } from "./command-for-tests.js";
import { HEALTHY, startFleet } from "./fleet-for-tests.js";

const directory = mkdtempSync(join(tmpdir(), "ferry-cli-"));
const running = new Set<ChildProcess>();
const fakes: FakeAgents[] = [];

afterEach(() => {
  for (const child of running) child.kill("SIGKILL");
  for (const agents of fakes.splice(0)) agents.close();
});
after(() => rmSync(directory, { recursive: true }));

/** In a directory without a hosts file, and an environment that says nothing but what it must. */
function start(
  args: readonly string[],
  { env = {}, ...input }: { stdin?: string | undefined; env?: NodeJS.ProcessEnv } = {},
): Running {
  const own = { PATH: process.env.PATH, HOME: directory };
  const started = startFerry(args, {
    cwd: directory,
    env: { ...own, ...env },
    stdin: "",
    ...input,
  });
  running.add(started.child);
  void started.done.then(() => running.delete(started.child));
  return started;
}

function run(...args: string[]): Promise<Ran> {
  return start(args).done;
}

async function fleet(script: Script): Promise<{ agents: FakeAgents; hosts: string }> {
  const { agents, others, hosts } = await startFleet(directory, script);
  fakes.push(agents, others);
  return { agents, hosts };
}

const COMMANDS = [
  "start",
  "stop",
  "pause",
  "resume",
  "guests",
  "check",
  "migrate",
  "drain",
  "resolve",
  "watch",
  "info",
  "doctor",
  "certs init",
  "certs issue",
  "call",
];

describe("help", () => {
  test("names every command", async () => {
    const { code, out } = await run("--help");
    assert.equal(code, 0);
    for (const command of COMMANDS) assert.ok(out.includes(`  ${command.split(" ")[0]}`), command);
  });

  for (const command of COMMANDS) {
    test(`of ${command} has a sentence, an example and the exit codes`, async () => {
      const { code, out } = await run(...command.split(" "), "--help");
      assert.equal(code, 0);
      assert.match(out, /\n\n[A-Z][\s\S]*\.\n/);
      assert.match(out, new RegExp(`Example:\n(.*\n)*  ferry ${command}`));
      assert.match(out, /Exit codes:\n {2}0 {2}\w[\s\S]*\n {2}1 {2}\w/);
    });
  }
});

test("--version says which Ferry this is", async () => {
  const { version } = JSON.parse(
    readFileSync(join(import.meta.dirname, "../package.json"), "utf8"),
  );
  for (const flag of ["--version", "-V"]) {
    assert.deepEqual(await run(flag), { code: 0, out: `ferry ${version}\n`, err: "" });
  }
});

test("npm links the command before anything is built, and what it links runs it", async () => {
  const manifest = join(import.meta.dirname, "../package.json");
  const linked = join(dirname(manifest), JSON.parse(readFileSync(manifest, "utf8")).bin.ferry);
  const tell = (path: string) =>
    spawnSync(process.execPath, [path, "--version"], { encoding: "utf8" });
  assert.match(tell(linked).stdout, /^ferry [0-9.]+\n$/);
  const unbuilt = join(directory, "unbuilt/bin/ferry.mjs");
  mkdirSync(dirname(unbuilt), { recursive: true });
  copyFileSync(linked, unbuilt);
  const { status, stderr } = tell(unbuilt);
  assert.equal(status, 1);
  assert.match(stderr, /not built yet\nnext: npm run build/);
});

describe("wrong usage", () => {
  const WRONG: readonly (readonly [args: string[], told: RegExp])[] = [
    [["teleport"], /unknown command 'teleport'/],
    [["migrate", "vm1"], /required option '--to <host>'/],
    [["drain", "a"], /required option '--to <hosts...>'/],
    [["drain", "a", "--to", "b", "--parallel", "0"], /1 or more/],
    [["migrate", "vm1", "--to", "b", "--downtime", "300"], /e\.g\. "300ms"/],
    [["migrate", "vm1", "--to", "b", "--downtime", "2m"], /a time from 1ms to 60s is wanted/],
    [["migrate", "vm1", "--to", "b", "--heartbeat", "0s"], /a time from 1ms to 576h/],
    [["migrate", "vm1"], /next: ferry migrate --help tells how/],
    [
      ["migrate", "vm1", "--to", "b", "--transport", "pigeon"],
      /Allowed choices are direct, tunnel/,
    ],
    [["start", "a", "--memory", "lots"], /e\.g\. "256M"/],
    [["certs", "init", "--host", "a"], /needs an address/],
    [["certs", "init", "--host", "a=not_a_name"], /neither an IP address nor a DNS name/],
    [["call", "Begone"], /no method Begone[\s\S]*SourceService\.Begin/],
    [["call", "Begin", "{"], /no JSON/],
    [["call", "GetInfo", "--agent", "both"], /Allowed choices are source, destination/],
    [
      ["call", "GetInfo", "--host", "a"],
      /'--address <host:port>' cannot be used with option '--host/,
    ],
    [["guests"], /no hosts file[\s\S]*next: Write one/],
  ];
  for (const [args, told] of WRONG) {
    test(`${args.join(" ")} exits with 1 and says why`, async () => {
      const { code, out, err } = await run(
        ...args,
        ...(args[0] === "call" ? ["--address", "127.0.0.1:1"] : []),
      );
      assert.equal(code, 1);
      assert.equal(out, "");
      assert.match(err, told);
      assert.doesNotMatch(err, /\n {4}at /, "a stack");
    });
  }

  test("a hosts file is taken from --hosts, FERRY_HOSTS or ./ferry.yaml", async () => {
    const { code, err } = await run("guests", "--hosts", "none.yaml");
    assert.equal(code, 1);
    assert.match(err, /none\.yaml cannot be read/);
    const named = await start(["guests"], { env: { FERRY_HOSTS: "other.yaml" } }).done;
    assert.match(named.err, /other\.yaml cannot be read/);
  });
});

describe("drain", () => {
  const WRONG: readonly (readonly [args: string[], told: RegExp])[] = [
    [["a", "--to", "a"], /a cannot take its own guests[\s\S]*next: /],
    [["a", "--to", "b", "b"], /a target is named twice/],
    [["a", "--to", "z"], /knows no host z/],
    [["--to", "b", "a"], /which host is to be emptied\?[\s\S]*next: Name it first/],
    [["a", "--to", "b,z"], /knows no host z/],
    [["a", "--to", "b,", "--dry-run"], /names are wanted/],
    [["a", "--to", "b", "--except", "vm9"], /no guest vm9 lives on a[\s\S]*next: Nothing was done/],
  ];
  for (const [args, told] of WRONG) {
    test(`of ${args.join(" ")} is refused before anything is asked of a guest`, async () => {
      const { agents, hosts } = await fleet(HEALTHY);
      const { code, out, err } = await run("drain", ...args, "--hosts", hosts);
      assert.deepEqual([code, out, agents.heard], [1, "", []]);
      assert.match(err, told);
    });
  }

  test("tells of each guest that cannot move everything in its way, as a table or JSON", async () => {
    const script = {
      ...HEALTHY,
      prepare: [["validated", "ok"]],
      blockers: { destination: [{ reason: "DISK_MISSING", subject: "root", description: "no" }] },
    } satisfies Script;
    const { hosts } = await fleet(script);
    const args = ["drain", "a", "--to", "b", "--dry-run", "--hosts", hosts];
    const { code, out } = await run(...args);
    assert.equal(code, 6);
    assert.match(
      out,
      /vm1 stays on a: no target takes it\n {2}b: DISK_MISSING \(root\): no → Mount/,
    );
    const ran = await run("drain", "a", "--to", "b", "--hosts", hosts);
    assert.doesNotMatch(ran.err, /100%/, "nothing was moved");
    const json = await run(...args, "--json");
    const { moves, left } = JSON.parse(json.out);
    assert.deepEqual(moves, []);
    assert.equal(left[0].obstacles[0].blocker.reason, "DISK_MISSING");
  });
});

describe("guests", () => {
  test("are listed across hosts, as a table or JSON", async () => {
    const { hosts } = await fleet({ guests: ["vm1", "vm2"] });
    const { code, out } = await run("guests", "--hosts", hosts);
    assert.equal(code, 0);
    assert.match(out, /GUEST +HOST +STATE/);
    assert.match(out, /vm1 +a +running/);
    const json = await run("guests", "--json", "--hosts", hosts);
    const names = json.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).guest)
      .map(({ guestId, state }) => `${guestId} ${state}`);
    assert.deepEqual(names, ["vm1 running", "vm2 running"]);
  });

  test("a host that does not answer is named, and the exit code tells", async () => {
    const hosts = join(directory, "deaf.yaml");
    writeFileSync(
      hosts,
      "plaintext: true\nhosts: {a: {source: '127.0.0.1:1', destination: '127.0.0.1:1'}}",
    );
    const { code, err } = await run("guests", "--hosts", hosts);
    assert.equal(code, 1);
    assert.match(err, /host a did not answer: .*ECONNREFUSED/);
    assert.doesNotMatch(err, /Resolution note/, "a note that is empty");
    assert.match(err, /^no guests on the hosts that answered$/m);
  });

  test("start, pause, resume and stop find the guest and say how it stands", async () => {
    const { hosts } = await fleet({ guests: ["vm1"] });
    const flags = ["--hosts", hosts];
    const started = await run(
      "start",
      "a",
      "--name",
      "vm9",
      "--memory",
      "64M",
      "--paused",
      ...flags,
    );
    assert.equal(started.out, "vm9 is paused on a\n");
    assert.equal((await run("pause", "vm1", ...flags)).out, "vm1 is paused on a\n");
    assert.equal((await run("resume", "vm1", ...flags)).out, "vm1 is running on a\n");
    assert.equal(
      (await run("stop", "vm1", "--grace", "1s", ...flags)).out,
      "vm1 on a powered itself down\n",
    );
    const stopped = await run("stop", "vm1", "--json", ...flags);
    assert.deepEqual(JSON.parse(stopped.out), {
      host: "a",
      guestId: "vm1",
      outcome: "powered_down",
    });
    const lost = await run("stop", "vm8", ...flags);
    assert.equal(lost.code, 1);
    assert.match(lost.err, /no guest vm8 on any host[\s\S]*next: See `ferry guests`/);
  });
});

describe("migrate", () => {
  test("finds the guest, moves it, and exits with 0", async () => {
    const { hosts } = await fleet(HEALTHY);
    const { code, out, err } = await run("migrate", "vm1", "--to", "b", "--hosts", hosts);
    assert.equal(code, 0, err);
    assert.match(out, /^vm1 landed on b[\s\S]*; it stood still for 12 ms\n$/);
    assert.match(err, /vm1: a → b, migration [0-9a-f-]{36}/);
    assert.match(err, /60% {2}10 B\/s {2}40 B left {2}ETA 4\.0 s/);
  });

  test("--json prints one object per event, the outcome last", async () => {
    // Only Perform says that the agents have met: told by the tether as well, either may come first.
    const { hosts } = await fleet({ ...HEALTHY, prepare: [["prepared", "never"]] });
    const { code, out } = await run(
      "migrate",
      "vm1",
      "--from",
      "a",
      "--to",
      "b",
      "--json",
      "--hosts",
      hosts,
    );
    assert.equal(code, 0);
    const events = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.equal(events.at(-1).kind, "outcome");
    assert.equal(events.at(-1).outcome.verdict, "landed");
    assert.ok(events.some(({ kind, row }) => kind === "decision" && row === "perform-bound"));
  });

  test("hands its options on", async () => {
    const { agents, hosts } = await fleet(HEALTHY);
    const id = "0b7d3f6e-5a51-4c6f-9c1d-6f6d3ad7c1a4";
    const options = [
      "--transport",
      "tunnel",
      "--downtime",
      "250ms",
      "--bandwidth",
      "100MB/s",
      "--id",
      id,
    ];
    const { code } = await run("migrate", "vm1", "--to", "b", ...options, "--hosts", hosts);
    assert.equal(code, 0);
    assert.equal(agents.requests.perform[0]?.downtimeLimitMs, 250);
    assert.equal(agents.requests.perform[0]?.bandwidthBytesPerSecond, 100_000_000n);
    assert.equal(agents.requests.perform[0]?.migrationId, id);
    const open = agents.requests.prepare[0]?.message;
    assert.equal(open?.$case === "open" && open.value.transport, 2);
  });

  test("to where it lives is refused before anything is begun", async () => {
    const { agents, hosts } = await fleet(HEALTHY);
    const { code, err } = await run("migrate", "vm1", "--to", "a", "--hosts", hosts);
    assert.equal(code, 1);
    assert.match(err, /vm1 is to go to a, where it lives\nnext: Nothing was done/);
    assert.ok(!agents.heard.includes("begin"));
  });

  test("returned exits with 3, and says why and what next", async () => {
    const { hosts } = await fleet({
      ...HEALTHY,
      prepare: [["prepared", "never"]],
      perform: [["failed"]],
      abandon: ["returned"],
      confirm: ["returned"],
    });
    const { code, out } = await run("migrate", "vm1", "--to", "b", "--hosts", hosts);
    assert.equal(code, 3);
    assert.match(
      out,
      /vm1 did not move: it is a's and is running there: DESTINATION_LOST: it fell silent/,
    );
    assert.match(out, /next: .*new id/);
  });

  test("perished exits with 4 and calls for a person", async () => {
    const { hosts } = await fleet({ ...HEALTHY, finish: ["perished"] });
    const { code, out } = await run("migrate", "vm1", "--to", "b", "--hosts", hosts);
    assert.equal(code, 4);
    assert.match(out, /PERISHED on b[\s\S]*person/);
  });

  test("a destination held by somebody else exits with 5", async () => {
    const { hosts } = await fleet({ ...HEALTHY, prepare: [[fault("TETHER_HELD")]] });
    const { code, out } = await run("migrate", "vm1", "--to", "b", "--hosts", hosts);
    assert.equal(code, 5);
    assert.match(out, /undecided[\s\S]*TETHER_HELD/);
  });

  test("a refused Begin exits with 1, with the reason and the agent's advice", async () => {
    const { hosts } = await fleet({ ...HEALTHY, begin: [fault("GUEST_NOT_RUNNING")] });
    const { code, err } = await run("migrate", "vm1", "--to", "b", "--hosts", hosts);
    assert.equal(code, 1);
    assert.match(err, /error: GUEST_NOT_RUNNING: .*\nnext: Start the guest again/);
  });

  test("FERRY_DEBUG shows the stack", async () => {
    const { hosts } = await fleet({ ...HEALTHY, begin: [fault("GUEST_NOT_RUNNING")] });
    const args = ["migrate", "vm1", "--to", "b", "--hosts", hosts];
    const { err } = await start(args, { env: { FERRY_DEBUG: "1" } }).done;
    assert.match(err, /\n {4}at /);
  });

  test("the first Ctrl-C ends the migration cleanly, and the exit code is the outcome's", async () => {
    const { agents, hosts } = await fleet({
      ...HEALTHY,
      perform: [["bound", new Promise(() => {})]],
      finish: ["pending"],
      abort: ["aborted"],
      abandon: ["returned"],
      confirm: ["returned"],
    });
    const { child, done, says } = start(["migrate", "vm1", "--to", "b", "--hosts", hosts]);
    await agents.times("finish", 1);
    child.kill("SIGTSTP"); // Ctrl-Z: it says why not, and goes on
    await says("not suspended");
    child.kill("SIGINT");
    const { code, out, err } = await done;
    assert.equal(code, 3);
    assert.match(err, /ending the migration cleanly/);
    assert.match(out, /vm1 did not move[\s\S]*ABORTED/);
    assert.ok(agents.heard.includes("abort") && agents.heard.includes("abandon"));
  });

  test("the second leaves at once", async () => {
    const { agents, hosts } = await fleet({
      ...HEALTHY,
      perform: [["bound", new Promise(() => {})]],
      finish: ["pending"],
      abort: ["never"],
    });
    const { child, done, says } = start(["migrate", "vm1", "--to", "b", "--hosts", hosts]);
    await agents.times("finish", 1);
    child.kill("SIGINT");
    await says("ending the migration cleanly");
    child.kill("SIGINT");
    assert.equal((await done).code, 130);
    await agents.tetherCut;
  });
});

describe("a reader that goes away", () => {
  for (const [lost, args] of [
    ["stdout", ["--json"]],
    ["stderr", []],
  ] as const) {
    test(`(${lost}) ends no move, and changes no exit code`, async () => {
      const { agents, hosts } = await fleet({
        ...HEALTHY,
        finish: ["returned"],
        confirm: ["returned"],
      });
      const move = ["migrate", "vm1", "--from", "a", "--to", "b", "--hosts", hosts];
      const { child, done } = start([...move, ...args]);
      child[lost]?.destroy();
      assert.equal((await done).code, 3);
      assert.ok(agents.heard.includes("confirm"));
    });
  }

  test("ends what would go on for ever", async () => {
    const { hosts } = await fleet({ finish: ["pending"] });
    const watching = start(["watch", "vm1", "--hosts", hosts]);
    watching.child.stdout?.destroy();
    assert.equal((await watching.done).code, 0);
    const calling = start(["call", "WatchMigrations", "--host", "a", "--hosts", hosts]);
    calling.child.stdout?.destroy();
    assert.equal((await calling.done).code, 0);
  });

  test("is no full disk: that is told, and the exit code tells", {
    skip: !existsSync("/dev/full"),
  }, () => {
    const full = openSync("/dev/full", "w");
    const { status, stderr } = spawnSync(process.execPath, [MAIN, "--help"], {
      stdio: ["ignore", full, "pipe"],
      encoding: "utf8",
    });
    closeSync(full);
    assert.equal(status, 1);
    assert.match(stderr, /^error: the output cannot be written: ENOSPC/);
  });
});

describe("check", () => {
  test("exits with 0 when nothing stands in the way", async () => {
    const { hosts } = await fleet({ ...HEALTHY, prepare: [["validated", "ok"]] });
    const { code, out } = await run("check", "vm1", "--to", "b", "--hosts", hosts);
    assert.equal(code, 0);
    assert.match(out, /nothing stands in the way of vm1 moving from a to b/);
  });

  test("lists every blocker of both ends with its remedy, and exits with 6", async () => {
    const { hosts } = await fleet({
      ...HEALTHY,
      prepare: [["validated", "ok"]],
      blockers: {
        source: [{ reason: "MIGRATION_BLOCKED", subject: "vm1", description: "a host device" }],
        destination: [{ reason: "DISK_MISSING", subject: "root", description: "no such file" }],
      },
    });
    const { code, out } = await run("check", "vm1", "--to", "b", "--hosts", hosts);
    assert.equal(code, 6);
    assert.match(out, /on a:\n {2}MIGRATION_BLOCKED \(vm1\): a host device → Remove/);
    assert.match(out, /on b:\n {2}DISK_MISSING \(root\): no such file → Mount/);
  });
});

describe("looking", () => {
  test("resolve asks both ends and exits with the verdict's code", async () => {
    const { hosts } = await fleet({ finish: ["returned"] });
    const { code, out } = await run(
      "resolve",
      "0b7d3f6e-5a51-4c6f-9c1d-6f6d3ad7c1a4",
      "--hosts",
      hosts,
    );
    assert.equal(code, 3);
    assert.match(out, /vm1: returned, it is the source's/);
    const none = await fleet({});
    const id = "0b7d3f6e-5a51-4c6f-9c1d-6f6d3ad7c1a4";
    const unknown = await run("resolve", id, "--hosts", none.hosts);
    assert.equal(unknown.code, 5);
    assert.match(
      unknown.out,
      /pending, no agent of the hosts file knows this migration[^\n]*check the id/,
    );
    const half = await run("resolve", id, "--never-landed", "--yes", "--hosts", none.hosts);
    assert.equal(half.code, 1);
    assert.match(
      half.err,
      /--never-landed, --yes orders nothing by itself\nnext: Nothing was done/,
    );
    const typo = await run("resolve", "0b7d3f6e", "--hosts", none.hosts);
    assert.equal(typo.code, 1);
    assert.match(typo.err, /0b7d3f6e is no migration's id[\s\S]*next: /);
  });

  test("watch prints what every agent says, until Ctrl-C", async () => {
    const { hosts } = await fleet({ finish: ["pending"] });
    const { child, done, says } = start(["watch", "vm1", "--hosts", hosts]);
    await says("m1 vm1 source@a performing");
    await says("m1 vm1 destination@b receiving");
    child.kill("SIGINT");
    assert.equal((await done).code, 0);
  });

  test("watch says when an agent is gone, and when it is back", async () => {
    const { agents, hosts } = await fleet({ finish: ["pending"] });
    const { source } = agents;
    const { says } = start(["watch", "vm1", "--hosts", hosts]);
    await says("vm1 source@a performing");
    agents.close();
    await says(`host a: ${source} did not answer: `);
    fakes.push(await new FakeAgents({ finish: ["pending"] }).listen(undefined, source));
    await says(`host a: ${source} answers again`);
  });

  test("info shows every agent, and says which of them is not who was meant", async () => {
    const { hosts } = await fleet({}); // whose destination at a is b's
    const { code, out, err } = await run("info", "a", "--hosts", hosts);
    assert.equal(code, 1);
    assert.match(
      err,
      /^host a: 127\.0\.0\.1:[0-9]+ is b\/destination, and a\/destination was meant\nnext: Correct .*\n$/,
    );
    assert.match(out, /a\/source at 127\.0\.0\.1:[0-9]+\n {2}ferry 0\.1\.0/);
    assert.match(out, /\n {2}limits\n {4}at once {4}8 guests arriving; 8 guests leaving\n/);
  });
});

describe("call", () => {
  test("prints the answer as JSON, for a method of one answer or many", async () => {
    const { agents, hosts } = await fleet(HEALTHY);
    const begin = await run(
      "call",
      "Begin",
      '{"guest_id":"vm1","validate_only":true}',
      "--address",
      agents.source,
    );
    assert.equal(begin.code, 0, begin.err);
    assert.equal(JSON.parse(begin.out).description.source_agent_id, "a/source");
    assert.equal(agents.requests.begin[0]?.validateOnly, true);
    const perform = await run("call", "Perform", "{}", "--host", "a", "--hosts", hosts);
    const events = perform.out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).event);
    assert.deepEqual(events, ["bound", "progress", "released"]);
  });

  test("streams requests from stdin, one a line", async () => {
    const opened = gate();
    const { agents } = await fleet({ prepare: [[opened.opened, "prepared", "landed", "ok"]] });
    void agents.times("heartbeat", 1).then(() => opened.open());
    const stdin = '{"open":{"migration_id":"m"}}\n\n{"heartbeat":{}}\n';
    const args = ["call", "DestinationService.Prepare", "-", "--address", agents.destination];
    const { code, out } = await start(args, { stdin }).done;
    assert.equal(code, 0);
    assert.deepEqual(
      out
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).event),
      ["prepared", "landed"],
    );
  });

  test("is over when the agent ends it, although stdin is open", async () => {
    const { agents } = await fleet({ prepare: [[fault("NO_SLOT")]] });
    const args = ["call", "DestinationService.Prepare", "-", "--address", agents.destination];
    const { child, done } = start(args, { stdin: undefined });
    child.stdin?.write('{"open":{"migration_id":"m"}}\n');
    const { code, err } = await done;
    assert.equal(code, 1);
    assert.match(err, /NO_SLOT/);
  });

  test("shows a fault with its reason and what to do", async () => {
    const { agents } = await fleet({ begin: [fault("GUEST_UNKNOWN")] });
    const { code, err } = await run("call", "Begin", "{}", "--address", agents.source);
    assert.equal(code, 1);
    assert.match(
      err,
      /SourceService\.Begin at .*: GUEST_UNKNOWN: .*\nnext: Look for it on the other hosts/,
    );
  });

  test("refuses a field the message does not have, before anything is sent", async () => {
    const { agents } = await fleet(HEALTHY);
    const { code, err } = await run(
      "call",
      "Begin",
      '{"guestId":"vm1"}',
      "--address",
      agents.source,
    );
    assert.equal(code, 1);
    assert.match(err, /BeginRequest has no field guestId/);
    assert.deepEqual(agents.heard, []);
  });
});

test("certs init writes where it is told, and tells what it wrote", async () => {
  const { code, out } = await run(
    "certs",
    "init",
    "--dir",
    "certs",
    "--host",
    "a=127.0.0.1",
    "--host",
    "b=b.example",
  );
  assert.equal(code, 0);
  const paths = out.trim().split("\n");
  assert.ok(paths.includes("certs/b/host.key"));
  assert.ok(paths.every((path) => existsSync(join(directory, path))));
  const again = await run("certs", "init", "--dir", "certs", "--host", "a=127.0.0.1");
  assert.equal(again.code, 1);
  assert.match(again.err, /exists already[\s\S]*--force/);
  const more = await run("certs", "issue", "--viewer", "tv", "--viewer", "wall");
  assert.equal(more.code, 0, more.err);
  assert.ok(existsSync(join(directory, "certs/viewer-wall/viewer.key")));
  const nobody = await run("certs", "issue");
  assert.match(nobody.err, /nobody was named[\s\S]*--viewer/);
  const nowhere = await run("certs", "issue", "--dir", "nowhere", "--viewer", "tv");
  assert.match(nowhere.err, /CA cannot be read[\s\S]*ferry certs init/);
});
