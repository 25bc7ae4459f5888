/* For tests: calls as promises, and conditions waited for with a bound. */
import type { ServerReflectionClient, ServerReflectionResponse } from "@ferry/contract";
import type { ServiceError } from "@grpc/grpc-js";

type Unary<Request, Response> = (
  request: Request,
  callback: (error: ServiceError | null, response: Response) => void,
) => unknown;

/** What a unary call answers; rejects with grpc-js's error. */
export function ask<Request, Response>(
  client: object,
  method: Unary<Request, Response>,
  request: Request,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method.call(client, request, (error, response) => {
      if (error === null) resolve(response);
      else reject(error);
    });
  });
}

/** The error a call fails with. */
export async function failure(call: Promise<unknown>): Promise<ServiceError> {
  try {
    await call;
  } catch (error) {
    return error as ServiceError; // grpc-js rejects with nothing else
  }
  throw new Error("the call did not fail");
}

/** How a stream of responses went: what came, and the error it ended with, if it did. */
export function collect<Response>(stream: NodeJS.EventEmitter) {
  const responses: Response[] = [];
  stream.on("data", (response: Response) => void responses.push(response));
  const ended = new Promise<ServiceError | undefined>((resolve) => {
    stream.on("error", (error: ServiceError) => resolve(error));
    stream.on("end", () => resolve(undefined));
  });
  return { responses, ended };
}

/** Which services reflection lists, as JSON. */
export async function servicesOf(reflection: ServerReflectionClient): Promise<string> {
  const call = reflection.serverReflectionInfo();
  const { responses, ended } = collect<ServerReflectionResponse>(call);
  call.write({ host: "", messageRequest: { $case: "listServices", value: "" } });
  call.end();
  await ended;
  return JSON.stringify(responses);
}

/** Waits until `condition` holds. Throws after 20 s, saying what did not come about. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
