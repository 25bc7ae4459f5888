/*
 * Goal: a stranger with nothing but an address can find and call every service. Method: the tool such
 * a stranger would use (`buf curl`) against a real server, told nothing of our .proto files.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { credentials, Server, ServerCredentials } from "@grpc/grpc-js";
import { loadDescriptorSet } from "./descriptors.js";
import { Fault, toStatus } from "./faults.js";
import { AgentServiceService, GetInfoResponse } from "./gen/ferry/v1/agent_service.js";
import { SourceServiceService } from "./gen/ferry/v1/source_service.js";
import {
  ServerReflectionClient,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
} from "./gen/grpc/reflection/v1/reflection.js";
import { addReflection } from "./reflection.js";

const run = promisify(execFile);
const bufPaths = (createRequire(import.meta.url).resolve.paths("@bufbuild/buf") ?? []).map(
  (directory) => join(directory, "@bufbuild/buf/bin/buf"),
);
const SERVICES = ["ferry.v1.AgentService", "ferry.v1.SourceService"];

describe("reflection", () => {
  const server = new Server();
  let address = "";

  before(async () => {
    server.addService(
      { getInfo: AgentServiceService.getInfo },
      {
        getInfo: (_call: unknown, callback: (error: null, value: GetInfoResponse) => void) =>
          callback(null, GetInfoResponse.fromPartial({ agentId: "a/source", version: "1.2.3" })),
      },
    );
    server.addService(
      { begin: SourceServiceService.begin },
      {
        begin: (_call: unknown, callback: (error: object) => void) =>
          callback(toStatus(new Fault("GUEST_UNKNOWN", "no such guest"))),
      },
    );
    addReflection(server, loadDescriptorSet(), SERVICES);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    address = `127.0.0.1:${port}`;
  });

  after(() => server.forceShutdown());

  for (const protocol of ["grpc-v1", "grpc-v1alpha"]) {
    const flags = ["--http2-prior-knowledge", "--protocol", "grpc", "--reflect-protocol", protocol];

    test(`lists the services over ${protocol}`, async () => {
      const { stdout } = await bufCurl([...flags, "--list-services", `http://${address}`]);
      assert.deepEqual(stdout.trim().split("\n").sort(), [
        ...SERVICES,
        "grpc.reflection.v1.ServerReflection",
      ]);
    });

    test(`is enough to make a call over ${protocol}`, async () => {
      const url = `http://${address}/ferry.v1.AgentService/GetInfo`;
      const { stdout } = await bufCurl([...flags, "--data", "{}", url]);
      assert.deepEqual(JSON.parse(stdout), { agentId: "a/source", version: "1.2.3" });
    });
  }

  test("lets a tool read an error's details", async () => {
    const url = `http://${address}/ferry.v1.SourceService/Begin`;
    const failure = await bufCurl(["--http2-prior-knowledge", "--protocol", "grpc", url]).then(
      () => assert.fail("the call should fail"),
      (error: { stderr: string }) => error,
    );
    const { code, details } = JSON.parse(failure.stderr) as {
      code: string;
      details: { type: string; value: string }[];
    };
    assert.equal(code, "not_found");
    assert.deepEqual(
      details.map(({ type }) => type),
      ["google.rpc.ErrorInfo", "google.rpc.Help"],
    );
    assert.match(Buffer.from(details[0]?.value ?? "", "base64").toString(), /GUEST_UNKNOWN/);
  });

  test("says so when it is asked for something it does not have", async () => {
    const asked = (messageRequest: ServerReflectionRequest["messageRequest"]) =>
      ask(address, { host: "", messageRequest });
    const unknown = await asked({ $case: "fileContainingSymbol", value: "nobody.Knows" });
    assert.equal(unknown.messageResponse?.$case, "errorResponse");
    const nothing = await asked(undefined);
    assert.equal(nothing.messageResponse?.$case, "errorResponse");
    const extensions = await asked({
      $case: "allExtensionNumbersOfType",
      value: "ferry.v1.Blocker",
    });
    assert.equal(extensions.messageResponse?.$case, "allExtensionNumbersResponse");
  });

  test("answers a file together with everything it imports, each once", async () => {
    const { messageResponse } = await ask(address, {
      host: "",
      messageRequest: { $case: "fileContainingSymbol", value: "ferry.v1.SourceService" },
    });
    assert.ok(messageResponse?.$case === "fileDescriptorResponse");
    assert.equal(messageResponse.value.fileDescriptorProto.length, 4); // itself, migration, guest, timestamp
  });
});

function bufCurl(args: string[]): Promise<{ stdout: string; stderr: string }> {
  const buf = bufPaths.find(existsSync);
  assert.ok(buf !== undefined, "buf is not installed: run npm ci");
  return run(process.execPath, [buf, "curl", ...args], { timeout: 60_000 });
}

async function ask(
  address: string,
  request: ServerReflectionRequest,
): Promise<ServerReflectionResponse> {
  const client = new ServerReflectionClient(address, credentials.createInsecure());
  try {
    const call = client.serverReflectionInfo();
    call.write(request);
    call.end();
    for await (const response of call) return response as ServerReflectionResponse;
    throw new Error("no answer");
  } finally {
    client.close();
  }
}
