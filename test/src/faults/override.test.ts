/*
 * Goal: a person's word that stands in for a host that is gone survives the death of the agent that took
 * it, at every instant: the guest runs again, the ending says who ordered it, and the host that comes back
 * is told. Method: the destination host loses its power after the release; the source agent is killed
 * where it stands still between two steps of the override, and started again.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { getMigration } from "@ferry/client";
import { SourceServiceService } from "@ferry/contract";
import { readAudit } from "@ferry/store";
import type { Scene } from "./fault.js";
import type { Point } from "./instants.js";
import { close, open, reach, release } from "./scene.js";
import { testStage } from "./test-stage.js";
import { until } from "./until.js";

const POINTS: readonly Point[] = [
  "after sync departure released", // the word is in the record, and nothing was done
  "before rename departure kept", // the guest runs again, and no ending says so
  "after rename departure kept", // the ending is there, and nothing was added to it
];

const { skip, stage } = testStage();

for (const point of POINTS) {
  test(`an override goes on after its agent died ${point}`, { skip }, async () => {
    const scene = await open(stage(), "releasedSynced");
    const { from, to, migrationId } = scene;
    await reach(scene, "releasedSynced");
    await stage().losePower(to);
    const agent = from.agents.source;
    assert.ok(agent);
    agent.said.splice(0);
    release(scene, "releasedSynced");
    agent.tell({ kind: "hold", point });
    void insist(scene);
    await until(`the agent to stand ${point}`, () =>
      agent.said.some(({ kind }) => kind === "held"),
    );
    agent.signal("SIGKILL");
    await agent.exited;
    await stage().ready(); // the other host as well: it is off no more

    const { ending, judgement, troubles } = await close(scene);
    assert.deepEqual([ending, judgement.broken, troubles], ["source", [], []]);
    const path = join(from.stateDir, "endings", `${migrationId}.source.json`);
    const record = await until("the other host to be told", () => {
      const body = JSON.parse(readFileSync(path, "utf8").split("\n")[1] ?? "") as EndingFile;
      return body.told === true ? body : undefined;
    });
    assert.deepEqual([record.phase, record.overridden], ["kept", "plaintext: its power is off"]);
    const audit = await readAudit(join(from.stateDir, "audit.source.log"));
    const about = audit.filter((entry) => entry.migrationId === migrationId);
    assert.ok(about.length > 0 && about.every(({ what }) => what === "override"));
  });
}

test("an override whose ending the disk refuses is carried out once the disk works, with nobody saying it again", {
  skip,
}, async () => {
  const scene = await open(stage(), "releasedSynced");
  const { from, to, migrationId, witness } = scene;
  await reach(scene, "releasedSynced");
  await stage().losePower(to);
  const agent = from.agents.source;
  assert.ok(agent);
  release(scene, "releasedSynced");
  process.kill(witness.on(from.place.name)?.pids().qemu ?? 0, "SIGKILL"); // what a word leads to is the ending at once
  await phase("bereft");
  agent.said.splice(0);
  agent.tell({ kind: "hold", point: "after sync departure released" });
  const saying = insist(scene);
  await until("the agent to stand after the word was written", () =>
    agent.said.some(({ kind }) => kind === "held"),
  );
  agent.tell({ kind: "disk", mode: "readOnly" });
  agent.tell({ kind: "release" });
  await until("the disk to refuse the ending", () =>
    agent.said.some(({ kind }) => kind === "refused"),
  );
  await saying;
  agent.tell({ kind: "disk", mode: "good" });
  await phase("gone");
  await stage().ready();
  const { ending, judgement, troubles } = await close(scene);
  assert.deepEqual([ending, judgement.broken, troubles], ["lostAtSource", [], []]);

  async function phase(name: string) {
    await until(`the departure to be ${name}`, async () => {
      const { phase } = await getMigration(from.client.source, migrationId, { timeoutMs: 5_000 });
      return phase === name;
    });
  }
});

interface EndingFile {
  readonly phase: string;
  readonly overridden?: string;
  readonly told?: boolean;
}

/** Says it again until it is taken: an agent that was heard a moment ago is not gone yet. */
async function insist({ from, to, migrationId }: Scene): Promise<void> {
  const request = {
    expectedAgentId: "",
    migrationId,
    wait: { $case: "waitMs" as const, value: 0 },
    override: {
      fencedHost: to.place.name,
      reason: "its power is off",
      neverLanded: true,
      acceptPerished: false,
      giveUp: false,
      forgotten: false,
    },
  };
  await until("the override to be taken", () =>
    from.client.source.unary(SourceServiceService.confirm, request, { timeoutMs: 60_000 }).then(
      () => true,
      (error: unknown) => !/answers|waits for no word/.test(String(error)), // its agent was killed
    ),
  ).catch(() => {}); // the test says what is missing
}
