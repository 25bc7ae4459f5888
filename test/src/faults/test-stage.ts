/* One stage for all tests of a file, where there can be one. */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Stage } from "./stage.js";

/** `skip` says why there is none; with one, `stage` answers it from the first test on. */
export function testStage(): { readonly skip: string | false; readonly stage: () => Stage } {
  const skip =
    process.getuid?.() === 0 ? false : "network namespaces and mounts need root: NOT TESTED";
  let open: Stage | undefined;
  before(async () => {
    if (skip !== false) return;
    open = new Stage();
    await open.start();
  });
  after(() => open?.close());
  return {
    skip,
    stage: () => {
      assert.ok(open, "the stage is set before the first test");
      return open;
    },
  };
}
