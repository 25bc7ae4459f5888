import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { request } from "node:http";
import { connect, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { Gauge } from "prom-client";
import { until } from "./calls-for-tests.js";
import { makeMetrics, tellBuild } from "./metrics.js";
import { type MetricsEndpointOptions, serveMetrics } from "./metrics-endpoint.js";
import { VERSION } from "./version.js";

/** More than the kernel takes for a caller who reads nothing: both sides' buffers grow to their limits. */
const ANSWER_BYTES = 64 * 1024 * 1024;

async function setUp(t: TestContext, options: Partial<MetricsEndpointOptions> = {}) {
  const metrics = makeMetrics({ role: "destination", process: false });
  const state = { ready: false, refresh: async () => {} };
  const endpoint = await serveMetrics({
    listen: "127.0.0.1:0",
    registry: metrics.registry,
    refresh: () => state.refresh(),
    ready: () => state.ready,
    ...options,
  });
  t.after(() => endpoint.close());
  const get = (path: string, method = "GET", headers = {}) =>
    new Promise<{ status: number | undefined; type: string | undefined; text: string }>(
      (resolve, reject) => {
        const options = { host: "127.0.0.1", port: endpoint.port, path, method, headers };
        request(options, (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (piece: string) => {
            text += piece;
          });
          response.on("end", () =>
            resolve({
              status: response.statusCode,
              type: response.headers["content-type"],
              text,
            }),
          );
        })
          .on("error", reject)
          .end();
      },
    );
  return { metrics, state, endpoint, get };
}

test("every series that can be known beforehand is there from the start", async () => {
  const destination = await makeMetrics({ role: "destination", process: false }).registry.metrics();
  for (const cause of ["cancelled", "connection_lost", "keepalive", "heartbeat", "deadline"]) {
    assert.match(destination, new RegExp(`ferry_tether_losses_total{cause="${cause}"} 0`));
    assert.match(destination, new RegExp(`ferry_tether_kill_seconds_count{cause="${cause}"} 0`));
  }
  assert.match(destination, /ferry_tethers_open 0/);
  assert.match(destination, /ferry_migrations_total{role="destination",outcome="tether_lost",/);
  const source = await makeMetrics({ role: "source", process: false }).registry.metrics();
  assert.match(source, /ferry_migrations_total{role="source",outcome="succeeded",reason="none"} 0/);
  assert.match(source, /ferry_retakes_total 0/);
});

test("what runs here is told once, however often it is said", async () => {
  const metrics = makeMetrics({ role: "source", process: false });
  const it = { role: "source", hostId: "host-1", protocolVersion: 1 } as const;
  tellBuild(metrics, { ...it, qemuVersions: [""] });
  tellBuild(metrics, { ...it, qemuVersions: ["9.2.0", "7.2.22", "9.2.0"] });
  const told = (await metrics.registry.metrics()).match(/^ferry_build_info.*$/gm);
  const labels = `role="source",host_id="host-1",version="${VERSION}",protocol="1"`;
  assert.deepEqual(told, [`ferry_build_info{${labels},qemu_versions="7.2.22,9.2.0"} 1`]);
});

test("a process tells of its event loop, which delays the answers to pings", async () => {
  const text = await makeMetrics({ role: "source" }).registry.metrics();
  assert.match(text, /nodejs_eventloop_lag_p99_seconds/);
  assert.match(text, /process_resident_memory_bytes/);
});

test("counters end in _total, times are in seconds, and every metric says what it is", async () => {
  const text = await makeMetrics({ role: "source", process: false }).registry.metrics();
  const types = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
  assert.ok(types.length > 15);
  for (const [, name = "", type] of types) {
    assert.equal(name.endsWith("_total"), type === "counter", name);
    if (type === "histogram") assert.match(name, /_seconds$/);
    assert.match(text, new RegExp(`^# HELP ${name} [A-Z0-9].*\\.$`, "m"), name);
  }
});

test("two agents in one process count apart", async () => {
  const one = makeMetrics({ role: "source", process: false });
  const other = makeMetrics({ role: "source", process: false });
  one.retakes.inc();
  assert.match(await other.registry.metrics(), /ferry_retakes_total 0/);
});

test("/metrics brings gauges up to date first", async (t) => {
  const { metrics, state, get } = await setUp(t);
  state.refresh = async () => metrics.guests.set({ role: "destination", state: "prepared" }, 3);
  const { status, type, text } = await get("/metrics");
  assert.equal(status, 200);
  assert.match(type ?? "", /^text\/plain; version=0\.0\.4/);
  assert.match(text, /ferry_guests{role="destination",state="prepared"} 3/);
});

test("a connection that the kernel does not hand over, again and again, ends nobody", async (t) => {
  const { get } = await setUp(t);
  const servers: Server[] = [];
  const note = (message: unknown) => {
    const { server } = (message as { socket: Socket & { server?: Server } }).socket; // net's own
    if (server !== undefined) servers.push(server);
  };
  subscribe("net.server.socket", note);
  await get("/metrics");
  unsubscribe("net.server.socket", note);
  for (const code of ["EMFILE", "ENFILE"]) {
    servers[0]?.emit("error", Object.assign(new Error(`accept ${code}`), { code }));
  }
  assert.equal((await get("/metrics")).status, 200);
  assert.notEqual(servers.length, 0);
});

test("many askers at once cost no more than one", async (t) => {
  const { state, get } = await setUp(t);
  let refreshed = 0;
  let go = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  state.refresh = async () => {
    refreshed += 1;
    await gate;
  };
  const first = get("/metrics");
  await until("the first asker to be heard", () => refreshed === 1);
  const second = get("/metrics");
  await get("/readyz"); // heard after the second one
  go();
  assert.equal((await first).text, (await second).text);
  assert.equal(refreshed, 1);
  await get("/metrics");
  assert.equal(refreshed, 2);
});

test("/readyz follows the agent", async (t) => {
  const { state, get } = await setUp(t);
  assert.equal((await get("/readyz")).status, 503);
  state.ready = true;
  assert.equal((await get("/readyz?verbose")).status, 200);
});

test("nothing else is there, and nothing can be changed", async (t) => {
  const { get } = await setUp(t);
  assert.equal((await get("/")).status, 404);
  assert.equal((await get("/metrics/../etc/passwd")).status, 404);
  for (const method of ["POST", "PUT", "DELETE"]) {
    assert.equal((await get("/metrics", method)).status, 405, method);
  }
});

test("a request that is too large is turned away, and the endpoint lives on", async (t) => {
  const { get } = await setUp(t);
  assert.equal((await get("/metrics", "GET", { "x-large": "x".repeat(20_000) })).status, 431);
  assert.equal((await get("/metrics")).status, 200);
});

for (const [who, sent] of Object.entries({
  "never sends": "",
  "sends half a request": "GET /metrics HTTP/1.1\r\n",
  "never reads": "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
})) {
  test(`as many callers as may connect, each of whom ${who}, are hung up on`, async (t) => {
    const bounds = { connectionsMax: 2, requestMs: 300, answerMs: 300 };
    const { metrics, endpoint } = await setUp(t, { bounds });
    const help = "x".repeat(ANSWER_BYTES);
    new Gauge({ name: "large", help, registers: [metrics.registry] });
    let open = 0;
    for (let count = 0; count < bounds.connectionsMax; count += 1) {
      const socket = connect(endpoint.port, "127.0.0.1").pause();
      t.after(() => socket.destroy());
      socket.on("error", () => {}); // hung up on
      socket.on("connect", () => {
        open += 1;
        socket.write(sent);
      });
    }
    await until("all of them are connected", () => open === bounds.connectionsMax);
    await until(
      "somebody else is answered",
      () =>
        new Promise((resolve) => {
          const asked = request({ port: endpoint.port, path: "/readyz", agent: false });
          asked.on("response", (response) => resolve(response.statusCode === 503));
          asked.on("error", () => resolve(false));
          asked.end();
        }),
    );
  });
}

test("metrics that cannot be told are an error, not the end of the agent", async (t) => {
  const { state, get } = await setUp(t);
  state.refresh = () => Promise.reject(new Error("broken"));
  const { status, text } = await get("/metrics");
  assert.equal(status, 500);
  assert.doesNotMatch(text, /broken/);
});

test("a port that is taken is named", async (t) => {
  const { endpoint, metrics } = await setUp(t);
  await assert.rejects(
    serveMetrics({
      listen: `127.0.0.1:${endpoint.port}`,
      registry: metrics.registry,
      ready: () => true,
    }),
    new RegExp(`metrics_listen: cannot listen on 127.0.0.1:${endpoint.port}`),
  );
});
