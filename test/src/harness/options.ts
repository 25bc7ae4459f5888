/* Options of the programs in this folder: help for who asks for it, and a wrong one told in a line. */
import { type ParseArgsConfig, parseArgs } from "node:util";

type Options = NonNullable<ParseArgsConfig["options"]>;

const WRONG_OPTIONS = 2;

/** Their values. Ends the process, with what is to be said, if help is wanted or an option is wrong. */
export function readOptions<const Known extends Options>(
  help: string,
  options: Known,
): ReturnType<typeof parseArgs<{ options: Known }>>["values"] {
  try {
    const asking: Options = { ...options, help: { type: "boolean", short: "h" } };
    if (parseArgs({ options: asking }).values.help !== true) return parseArgs({ options }).values;
  } catch (error) {
    wrong(error instanceof Error ? error.message : String(error));
  }
  process.stdout.write(help);
  process.exit(0);
}

/** The value of an option that is a whole number in these bounds. Ends the process if it is none. */
export function wholeNumber(option: string, text: string, least: number, most?: number): number {
  const value = Number(text);
  const fits = value >= least && value <= (most ?? Number.MAX_SAFE_INTEGER);
  if (/^[0-9]+$/.test(text) && fits) return value;
  const bounds = most === undefined ? `from ${least} on` : `from ${least} to ${most}`;
  return wrong(`--${option} wants a whole number ${bounds}, not "${text}"`);
}

/** Ends the process: an option cannot be taken, and why. */
export function wrong(message: string): never {
  process.stderr.write(`${message}\nSee --help.\n`);
  process.exit(WRONG_OPTIONS);
}
