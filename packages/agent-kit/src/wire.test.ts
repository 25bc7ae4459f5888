import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Accelerator,
  DiskFormat,
  Fault,
  type FaultReason,
  GuestSpec,
  Transport,
  Verdict,
} from "@ferry/contract";
import { guestSpecRecord } from "./records.js";
import {
  checkGuestId,
  checkMigrationId,
  fromWireAccelerator,
  fromWireSpec,
  fromWireTransport,
  fromWireVerdict,
  toWireAccelerator,
  toWireSpec,
  toWireTransport,
  toWireVerdict,
} from "./wire.js";

const MIB = 1024n * 1024n;
const WHOLE: GuestSpec = GuestSpec.fromPartial({
  formatVersion: 1,
  guestId: "web-1",
  machineType: "pc-q35-7.2",
  cpuModel: "qemu64,+aes",
  vcpus: 2,
  memoryBytes: 256n * MIB,
  disks: [
    { diskId: "root", path: "/srv/ferry/web.qcow2", format: DiskFormat.QCOW2, readOnly: false },
  ],
  nics: [{ nicId: "lan", mac: "52:54:00:12:34:56", tapName: "tap0" }],
  boot: {
    $case: "kernel",
    value: { path: "/boot/vmlinuz", initrdPath: "", commandLine: "quiet" },
  },
  accelerator: Accelerator.TCG,
});

function refuses(work: () => unknown, reason: FaultReason, text: RegExp): void {
  assert.throws(work, (error) => {
    assert.ok(error instanceof Fault);
    assert.equal(error.reason, reason);
    assert.match(error.message, text);
    return true;
  });
}

test("a specification survives the way to the wire and back", () => {
  assert.deepEqual(toWireSpec(fromWireSpec(WHOLE)), WHOLE);
  for (const boot of [
    undefined,
    { $case: "firmware", value: { path: "/usr/share/OVMF/OVMF.fd" } },
  ] satisfies GuestSpec["boot"][]) {
    const spec = { ...WHOLE, boot };
    assert.deepEqual(toWireSpec(fromWireSpec(spec)), spec);
  }
});

test("a specification can be written down as it is", () => {
  const spec = fromWireSpec(WHOLE);
  assert.deepEqual(guestSpecRecord.parse(JSON.parse(JSON.stringify(spec))), spec);
});

test("what is left out has its default", () => {
  const { machineType, vcpus, boot, accelerator } = fromWireSpec(
    GuestSpec.fromPartial({ guestId: "a", memoryBytes: MIB }),
  );
  assert.deepEqual([machineType, vcpus, boot, accelerator], ["q35", 1, { kind: "disk" }, "auto"]);
});

test("every problem of a specification is told at once, by its path on the wire", () => {
  const wrong = { ...WHOLE, guestId: "-rf", vcpus: 10_000, cpuModel: "host,$(reboot)" };
  assert.throws(
    () => fromWireSpec(wrong),
    (error) => {
      assert.ok(error instanceof Fault);
      assert.equal(error.reason, "INVALID_REQUEST");
      assert.deepEqual(
        error.details.fieldViolations?.map(({ field }) => field),
        ["spec.guest_id", "spec.cpu_model", "spec.vcpus"],
      );
      return true;
    },
  );
});

test("a specification that is missing, newer, or guesses a format is refused", () => {
  refuses(() => fromWireSpec(undefined), "INVALID_REQUEST", /specification is wanted/);
  refuses(() => fromWireSpec({ ...WHOLE, formatVersion: 2 }), "UNSUPPORTED", /upgrade it/);
  const disks = [{ diskId: "a", path: "/a", format: DiskFormat.UNSPECIFIED, readOnly: false }];
  refuses(() => fromWireSpec({ ...WHOLE, disks }), "INVALID_REQUEST", /raw or qcow2/);
});

test("memory beyond what a number holds exactly is refused, not rounded", () => {
  refuses(
    () => fromWireSpec({ ...WHOLE, memoryBytes: 2n ** 63n }),
    "INVALID_REQUEST",
    /memory_bytes/,
  );
});

test("a migration id has one form, however it is spelt", () => {
  const id = "0190A1B2-0000-7000-8000-0123456789AB";
  assert.equal(checkMigrationId(id), id.toLowerCase());
  for (const text of ["", "x", `${id}0`, ` ${id}`, "../../../../etc/passwd", "é".repeat(500)]) {
    refuses(() => checkMigrationId(text), "INVALID_REQUEST", /migration_id: a UUID is wanted/);
  }
  const nil = () => checkMigrationId("00000000-0000-0000-0000-000000000000");
  refuses(nil, "INVALID_REQUEST", /migration_id: a UUID of its own is wanted/);
});

test("a guest id can be a file's name and nothing worse", () => {
  assert.equal(checkGuestId("web-1.example_2"), "web-1.example_2");
  for (const text of ["", "..", "-a", "a/b", "a b", "a\n", "a".repeat(65)]) {
    refuses(() => checkGuestId(text), "INVALID_REQUEST", /guest_id/);
  }
});

test("hostile text is shown shortened and escaped", () => {
  assert.throws(
    () => checkGuestId(`\u001b[2J${"x".repeat(10_000)}`),
    (error) =>
      error instanceof Error && error.message.length < 300 && !error.message.includes("\u001b"),
  );
});

test("transports, accelerators and verdicts have one word each on either side", () => {
  for (const transport of ["direct", "tunnel", "direct_plain"] as const) {
    assert.equal(fromWireTransport(toWireTransport(transport)), transport);
  }
  assert.equal(fromWireTransport(Transport.UNSPECIFIED), "direct");
  refuses(() => fromWireTransport(99 as Transport), "INVALID_REQUEST", /unknown transport/);
  for (const accelerator of ["auto", "kvm", "tcg"] as const) {
    assert.equal(fromWireAccelerator(toWireAccelerator(accelerator), "accelerator"), accelerator);
  }
  for (const unknown of [77 as Accelerator, -1 as Accelerator]) {
    refuses(
      () => fromWireSpec({ ...WHOLE, accelerator: unknown }),
      "INVALID_REQUEST",
      /spec\.accelerator: kvm, tcg or unspecified is wanted/,
    );
  }
  for (const verdict of ["pending", "landed", "returned", "perished"] as const) {
    assert.equal(fromWireVerdict(toWireVerdict(verdict)), verdict);
  }
  assert.equal(fromWireVerdict(Verdict.UNSPECIFIED), undefined);
  assert.equal(fromWireVerdict(99 as Verdict), undefined); // a newer agent's word proves nothing
});
