/*
 * Server reflection (v1, and v1alpha for older tools). Few ever ask, and what answers them takes longer
 * to load than anything else of the contract: so it is loaded for the first who does.
 */
import { type Server, type ServerDuplexStream, status } from "@grpc/grpc-js";
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionService,
} from "./gen/grpc/reflection/v1/reflection.js";
import type { Answers } from "./reflection-answers.js";

type Call = ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>;

const OWN_NAME = "grpc.reflection.v1.ServerReflection";

/**
 * Adds reflection to a server that is not bound yet. `services` are the full names it lists, e.g.
 * "ferry.v1.SourceService"; reflection itself is listed too. `descriptorSet` must hold every import.
 */
export function addReflection(
  server: Server,
  descriptorSet: Uint8Array,
  services: readonly string[],
): void {
  let loading: Promise<Answers> | undefined;
  const load = async () => {
    const { Answers } = await import("./reflection-answers.js");
    return new Answers(descriptorSet, [...services, OWN_NAME]);
  };
  const serverReflectionInfo = (call: Call): void => {
    let turn = Promise.resolve(); // answers go out in the order of their questions
    call.on("data", (request: ServerReflectionRequest) => {
      turn = turn.then(async () => {
        loading ??= load();
        const messageResponse = (await loading).to(request);
        call.write({ validHost: request.host, originalRequest: request, messageResponse });
      });
      turn.catch((error: unknown) => call.emit("error", broken(error)));
    });
    call.on("end", () => {
      turn.then(
        () => call.end(),
        () => {}, // told above
      );
    });
  };
  server.addService(ServerReflectionService, { serverReflectionInfo });
  server.addService(alphaService(), { serverReflectionInfo });
}

function broken(cause: unknown) {
  return Object.assign(new Error("reflection is broken", { cause }), { code: status.INTERNAL });
}

/** The same service under its older name; the messages are the same on the wire. */
function alphaService(): typeof ServerReflectionService {
  const { serverReflectionInfo } = ServerReflectionService;
  const path = serverReflectionInfo.path.replace(".v1.", ".v1alpha.");
  // The type names v1's path literally; everything else about the two is equal.
  return {
    serverReflectionInfo: { ...serverReflectionInfo, path },
  } as unknown as typeof ServerReflectionService;
}
