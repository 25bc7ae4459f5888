/*
 * What reflection answers, straight from a FileDescriptorSet. The usual npm package builds its
 * descriptors through proto-loader, which loses every import, so that tools list the services and
 * then cannot find them.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import type {
  ServerReflectionRequest,
  ServerReflectionResponse,
} from "./gen/grpc/reflection/v1/reflection.js";

type Answer = ServerReflectionResponse["messageResponse"];

export class Answers {
  readonly #services: readonly string[];
  readonly #files = new Map<string, { bytes: Buffer; imports: readonly string[] }>();
  /** Full name of anything declared → name of the file that declares it. */
  readonly #symbols = new Map<string, string>();
  readonly #messages = new Set<string>();

  constructor(descriptorSet: Uint8Array, services: readonly string[]) {
    this.#services = services;
    for (const file of fromBinary(FileDescriptorSetSchema, descriptorSet).file) this.#add(file);
  }

  to({ messageRequest: asked }: ServerReflectionRequest): Answer {
    switch (asked?.$case) {
      case "listServices":
        return {
          $case: "listServicesResponse",
          value: { service: this.#services.map((name) => ({ name })) },
        };
      case "fileByFilename":
        return this.#file(asked.value);
      case "fileContainingSymbol":
        return this.#file(this.#symbols.get(asked.value));
      case "fileContainingExtension":
        return notFound("no extensions are declared");
      case "allExtensionNumbersOfType":
        if (!this.#messages.has(asked.value)) return notFound("no such message");
        return {
          $case: "allExtensionNumbersResponse",
          value: { baseTypeName: asked.value, extensionNumber: [] },
        };
      default:
        return {
          $case: "errorResponse",
          value: { errorCode: status.INVALID_ARGUMENT, errorMessage: "ask for something" },
        };
    }
  }

  #file(name: string | undefined): Answer {
    if (name === undefined || !this.#files.has(name)) return notFound("no such file or symbol");
    const seen = new Set<string>();
    const fileDescriptorProto: Buffer[] = [];
    const visit = (each: string): void => {
      const file = this.#files.get(each);
      if (file === undefined || seen.has(each)) return;
      seen.add(each);
      fileDescriptorProto.push(file.bytes);
      file.imports.forEach(visit);
    };
    visit(name);
    return { $case: "fileDescriptorResponse", value: { fileDescriptorProto } };
  }

  #add(file: FileDescriptorProto): void {
    const bytes = Buffer.from(toBinary(FileDescriptorProtoSchema, file));
    this.#files.set(file.name, { bytes, imports: file.dependency });
    const scope = file.package === "" ? "" : `${file.package}.`;
    for (const message of file.messageType) this.#addMessage(scope, message, file.name);
    for (const each of file.enumType) this.#symbols.set(`${scope}${each.name}`, file.name);
    for (const service of file.service) {
      this.#symbols.set(`${scope}${service.name}`, file.name);
      for (const method of service.method) {
        this.#symbols.set(`${scope}${service.name}.${method.name}`, file.name);
      }
    }
  }

  #addMessage(scope: string, message: DescriptorProto, file: string): void {
    const name = `${scope}${message.name}`;
    this.#symbols.set(name, file);
    this.#messages.add(name);
    for (const field of message.field) this.#symbols.set(`${name}.${field.name}`, file);
    for (const each of message.enumType) this.#symbols.set(`${name}.${each.name}`, file);
    for (const nested of message.nestedType) this.#addMessage(`${name}.`, nested, file);
  }
}

function notFound(errorMessage: string): Answer {
  return { $case: "errorResponse", value: { errorCode: status.NOT_FOUND, errorMessage } };
}
