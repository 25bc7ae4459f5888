/*
 * What `--json` prints of the agents' answers: words where the contract has enums, the field itself where it
 * has a choice of fields, and 64-bit numbers as strings, as protobuf's JSON has them. So a script need not know how our
 * generated code spells them.
 */
import {
  Accelerator,
  Cause,
  DiskFormat,
  GuestState,
  Role,
  Transport,
  Verdict,
} from "@ferry/contract";

/** By the field's name: no field of these names is a number of any other kind. */
const WORDS: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  accelerator: Accelerator,
  cause: Cause,
  format: DiskFormat,
  role: Role,
  state: GuestState,
  transport: Transport,
  verdict: Verdict,
};

/** For JSON.stringify. A word newer than this command stays its number. */
export function plain(key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return WORDS[key]?.[value]?.toLowerCase() ?? value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  if (!Object.values(value).some(isChoice)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) =>
      isChoice(field) ? [field.$case, field.value] : [name, field],
    ),
  );
}

function isChoice(value: unknown): value is { readonly $case: string; readonly value: unknown } {
  return typeof value === "object" && value !== null && "$case" in value;
}
