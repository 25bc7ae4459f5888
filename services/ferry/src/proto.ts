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

/** What a message may contain. */
export interface MessageShape {
  readonly name: string;
  readonly fields: readonly Field[];
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
    oneofs: true,
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

  /** Refuses names that the message does not have: the encoder would drop them in silence. */
  check(value: unknown, shape: MessageShape, where = shape.name): void {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new Failure(`${where}: an object is wanted`, `Its fields are ${names(shape)}.`);
    }
    for (const [name, inner] of Object.entries(value)) {
      const field = shape.fields.find((each) => each.name === name);
      if (field === undefined) {
        throw new Failure(
          `${where} has no field ${name}`,
          `Its fields are ${names(shape)}, spelled as in the .proto files.`,
        );
      }
      const message = this.#message(field);
      if (message === undefined) continue; // a scalar, or a map
      for (const each of Array.isArray(inner) ? inner : [inner])
        this.check(each, message, `${where}.${name}`);
    }
  }

  /** The message a field holds; undefined for anything else, and for maps. */
  #message({ type, typeName }: Field): MessageShape | undefined {
    if (type !== "TYPE_MESSAGE") return undefined;
    const found = Object.entries(this.#package).find(
      ([name]) => name === typeName.replace(/^\./, "") || name.endsWith(`.${typeName}`),
    );
    const definition = found?.[1];
    return definition !== undefined && isMessage(definition) ? shapeOf(definition) : undefined;
  }
}

export function isService(definition: AnyDefinition): definition is ServiceDefinition {
  return !("format" in definition);
}

function isMessage(definition: AnyDefinition): definition is MessageTypeDefinition<object, object> {
  return "format" in definition && definition.format === "Protocol Buffer 3 DescriptorProto";
}

export function shapeOf(definition: { readonly type: object }): MessageShape {
  const { name, field } = definition.type as { name: string; field: Field[] }; // a DescriptorProto
  return { name, fields: field };
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
