import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Changes } from "./changes.js";

/** A wait keeps no process alive; an agent's listeners do, and here this. */
let alive: NodeJS.Timeout;
before(() => {
  alive = setInterval(() => {}, 3_600_000);
});
after(() => clearInterval(alive));

test("everybody who waits is woken by one change", async () => {
  const changes = new Changes();
  const waiting = [changes.after(0), changes.after(0)];
  changes.bump();
  assert.deepEqual(await Promise.all(waiting), [1, 1]);
});

test("a change that came before the wait is not missed", async () => {
  const changes = new Changes();
  changes.bump();
  assert.equal(await changes.after(0), 1);
});

test("a signal ends a wait, and one that fired already does not begin one", async () => {
  const changes = new Changes();
  const hangUp = new AbortController();
  const waiting = changes.after(0, hangUp.signal);
  hangUp.abort();
  assert.equal(await waiting, 0);
  assert.equal(await changes.after(0, hangUp.signal), 0);
});

test("`until` sees a condition that becomes true", async () => {
  const changes = new Changes();
  let ready = false;
  const waiting = changes.until(() => ready, { withinMs: 60_000 });
  changes.bump();
  ready = true;
  changes.bump();
  assert.equal(await waiting, true);
});

test("`until` gives up in time, and at once when no time is left", async () => {
  const changes = new Changes();
  assert.equal(await changes.until(() => false, { withinMs: 1 }), false);
  assert.equal(await changes.until(() => false, { withinMs: 0 }), false);
  assert.equal(await changes.until(() => true, { withinMs: 0 }), true);
});

test("`until` gives up when its signal fires", async () => {
  const changes = new Changes();
  const hangUp = new AbortController();
  const waiting = changes.until(() => false, { withinMs: 60_000, signal: hangUp.signal });
  hangUp.abort();
  assert.equal(await waiting, false);
});
