/* Goal: a disk that refuses is told of, and one that takes contents again is, too. Method: a disk that does as told. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Disk, realDisk } from "./disk.js";
import { watchedDisk } from "./watched-disk.js";

const refusal = (code: string) =>
  Object.assign(new Error(`${code}: no`), { code, syscall: "write" });

function watched(change: Partial<Disk>) {
  const heard: (string | undefined)[] = [];
  const disk = watchedDisk({ ...realDisk, ...change }, (each) => heard.push(each?.code));
  return { disk, heard };
}

for (const code of ["ENOSPC", "EROFS", "EIO"]) {
  test(`${code} is told, whatever was tried`, async () => {
    const refuse = () => Promise.reject(refusal(code));
    const { disk, heard } = watched({ writeFile: refuse, rename: refuse, syncDirectory: refuse });
    await assert.rejects(disk.writeFile("/x", Buffer.from("x")), { code });
    await assert.rejects(disk.rename("/x", "/y"), { code });
    await assert.rejects(disk.syncDirectory("/"), { code });
    assert.deepEqual(heard, [code, code, code]);
  });
}

test("a name that is missing, or taken, says nothing about the disk", async () => {
  const { disk, heard } = watched({ rename: () => Promise.reject(refusal("ENOENT")) });
  await assert.rejects(disk.rename("/x", "/y"), { code: "ENOENT" });
  assert.deepEqual(heard, []);
});

test("only contents prove that it can be written: a full disk takes renames and empty files", async () => {
  const fine = () => Promise.resolve();
  const { disk, heard } = watched({ writeFile: fine, rename: fine, syncDirectory: fine });
  await disk.rename("/x", "/y");
  await disk.syncDirectory("/");
  await disk.writeFile("/x", Buffer.alloc(0));
  assert.deepEqual(heard, []);
  await disk.writeFile("/x", Buffer.from("x"));
  assert.deepEqual(heard, [undefined]);
});
