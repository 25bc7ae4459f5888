/*
 * The contract as its .proto files say it, for calls by name. Nothing generated is used, so `ferry
 * call` shows what any other client of those files would see.
 */
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Method } from "@ferry/client";
import {
  type AnyDefinition,
  loadSync,
  type MessageTypeDefinition,
  type MethodDefinition,
  type PackageDefinition,
  type ServiceDefinition,
} from "@grpc/proto-loader";
import { Failure } from "./failure.js";

/** The repository's proto directory, which is shipped beside the command. */
const PROTO_DIRECTORY = fileURLToPath(new URL("../../../proto/", import.meta.url));

export interface Callable extends Method<object, object> {
  /** "ferry.v1.SourceService" */
  readonly service: string;
  /** "Begin" */
  readonly name: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly request: MessageShape;
}

/** A field of a message, as its descriptor has it. */
interface Field {
  readonly name: string;
  readonly type: string;
  readonly typeName: string;
  readonly label: string;
}

/** A DescriptorProto, as far as it is used here. */
interface Descriptor {
  readonly name: string;
  readonly field: readonly Field[];
  readonly oneofDecl: readonly { readonly name: string }[];
}

/** A word of an enum, as its descriptor has it. */
interface EnumWord {
  readonly name: string;
  readonly number: number;
}

const isNumber = (value: unknown) => typeof value === "number";
const isWhole = (least: number, most: number) => (value: unknown) =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
/** 64-bit numbers may be strings. One that is too large the encoder would wrap to another. */
const isLong = (least: bigint, most: bigint) => (value: unknown) => {
  if (typeof value !== "string") return Number.isSafeInteger(value) && Number(value) >= least;
  return /^-?[0-9]{1,20}$/.test(value) && BigInt(value) >= least && BigInt(value) <= most;
};
const isText = (value: unknown) => typeof value === "string";

/** Which JSON values a scalar takes; those that are not named take any. */
const FITS: Readonly<Record<string, (value: unknown) => boolean>> = {
  TYPE_BOOL: (value) => typeof value === "boolean",
  TYPE_STRING: isText,
  TYPE_BYTES: isText,
  TYPE_DOUBLE: isNumber,
  TYPE_FLOAT: isNumber,
  TYPE_INT32: isWhole(-(2 ** 31), 2 ** 31 - 1),
  TYPE_UINT32: isWhole(0, 2 ** 32 - 1),
  TYPE_INT64: isLong(-(2n ** 63n), 2n ** 63n - 1n),
  TYPE_UINT64: isLong(0n, 2n ** 64n - 1n),
};

/** What a message may contain. */
export interface MessageShape {
  readonly name: string;
  readonly fields: readonly Field[];
  /** Names of its oneofs. */
  readonly oneofs: readonly string[];
}

/** Everything in the .proto files, by its full name. */
export function loadContract(directory = PROTO_DIRECTORY): PackageDefinition {
  if (!existsSync(directory)) {
    throw new Failure(`no .proto files at ${directory}`, "Run ferry from a whole installation.");
  }
  const files = readdirSync(`${directory}/ferry/v1`)
    .filter((name) => name.endsWith(".proto"))
    .map((name) => `ferry/v1/${name}`);
  return loadSync(files, {
    includeDirs: [directory],
    keepCase: true,
    longs: String,
    enums: String,
    bytes: String,
    oneofs: true, // an answer names the arm that is set, e.g. "event":"prepared"
  });
}

export class Contract {
  readonly methods: readonly Callable[];
  readonly #package: PackageDefinition;

  constructor(definition = loadContract()) {
    this.#package = definition;
    this.methods = Object.entries(definition).flatMap(([service, each]) =>
      isService(each)
        ? Object.entries(each).map(([name, method]) => callable(service, name, method))
        : [],
    );
  }

  /** "Begin", "SourceService.Begin" or "ferry.v1.SourceService/Begin". */
  find(name: string): Callable {
    const wanted = name.replace("/", ".").toLowerCase();
    const found = this.methods.filter((method) => {
      const full = `${method.service}.${method.name}`.toLowerCase();
      return full === wanted || full.endsWith(`.${wanted}`);
    });
    const [method, ...others] = found;
    if (method !== undefined && others.length === 0) return method;
    const list = (found.length > 0 ? found : this.methods).map(short).join("\n  ");
    throw new Failure(
      method === undefined ? `no method ${name}` : `${name} may be several methods`,
      `Name one of:\n  ${list}`,
    );
  }

  /**
   * Refuses names that the message does not have, words that its enums do not have and values of another kind: the
   * encoder would drop them in silence, or take "no" for true.
   */
  check(value: unknown, shape: MessageShape, where = shape.name): void {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new Failure(`${where}: an object is wanted`, `Its fields are ${names(shape)}.`);
    }
    for (const [name, inner] of Object.entries(value)) {
      // What came out of an answer may go into a request as it is: there it says which arm is set.
      if (shape.oneofs.includes(name) && Object.hasOwn(value, String(inner))) continue;
      const field = shape.fields.find((each) => each.name === name);
      if (field === undefined) {
        throw new Failure(
          `${where} has no field ${name}`,
          `Its fields are ${names(shape)}, spelled as in the .proto files.`,
        );
      }
      if (inner === null) continue; // as good as not there
      const message = this.#message(field);
      const own = `${where}.${name}`;
      if (field.type === "TYPE_MESSAGE" && message === undefined) continue; // a map
      const many = field.label === "LABEL_REPEATED";
      if (many !== Array.isArray(inner)) {
        throw new Failure(
          `${own}: ${many ? "a list" : "one value, no list"} is wanted`,
          "Mend it.",
        );
      }
      for (const each of Array.isArray(inner) ? inner : [inner]) {
        if (message === undefined) this.#checkValue(each, field, own);
        else this.check(each, message, own);
      }
    }
  }

  #checkValue(value: unknown, { type, typeName }: Field, where: string): void {
    const words = type === "TYPE_ENUM" ? this.#words(typeName) : undefined;
    const fits =
      words === undefined
        ? (FITS[type]?.(value) ?? true)
        : words.some(({ name, number }) => value === name || value === number);
    if (fits) return;
    const wanted =
      words === undefined
        ? `A ${type.replace("TYPE_", "").toLowerCase()} is wanted, as JSON has it.`
        : `One of these is wanted: ${words.map(({ name }) => name).join(", ")}.`;
    throw new Failure(`${where}: ${JSON.stringify(value)} is none of its values`, wanted);
  }

  #words(typeName: string): readonly EnumWord[] | undefined {
    const definition = this.#find(typeName);
    if (definition === undefined || !("format" in definition)) return undefined;
    return (definition.type as { value?: readonly EnumWord[] }).value; // an EnumDescriptorProto
  }

  /** The message a field holds; undefined for anything else, and for maps. */
  #message({ type, typeName }: Field): MessageShape | undefined {
    if (type !== "TYPE_MESSAGE") return undefined;
    const definition = this.#find(typeName);
    return definition !== undefined && isMessage(definition) ? shapeOf(definition) : undefined;
  }

  #find(typeName: string): AnyDefinition | undefined {
    const found = Object.entries(this.#package).find(
      ([name]) => name === typeName.replace(/^\./, "") || name.endsWith(`.${typeName}`),
    );
    return found?.[1];
  }
}

export function isService(definition: AnyDefinition): definition is ServiceDefinition {
  return !("format" in definition);
}

function isMessage(definition: AnyDefinition): definition is MessageTypeDefinition<object, object> {
  return "format" in definition && definition.format === "Protocol Buffer 3 DescriptorProto";
}

export function shapeOf(definition: { readonly type: object }): MessageShape {
  const { name, field, oneofDecl } = definition.type as Descriptor;
  return { name, fields: field, oneofs: oneofDecl.map((each) => each.name) };
}

function callable(
  service: string,
  name: string,
  method: MethodDefinition<object, object>,
): Callable {
  const { path, requestStream, responseStream, requestSerialize, responseDeserialize } = method;
  const request = shapeOf(method.requestType as MessageTypeDefinition<object, object>);
  return {
    service,
    name,
    path,
    requestStream,
    responseStream,
    requestSerialize,
    responseDeserialize,
    request,
  };
}

function names({ fields }: MessageShape): string {
  return fields.map(({ name }) => name).join(", ") || "none";
}

/** "SourceService.Begin" */
export function short({ service, name }: Callable): string {
  return `${service.slice(service.lastIndexOf(".") + 1)}.${name}`;
}
