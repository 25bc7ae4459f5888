import { descriptorSet } from "./gen/descriptor-set.js";

/** The contract as a google.protobuf.FileDescriptorSet, imports included, as reflection serves it. */
export function loadDescriptorSet(): Uint8Array {
  return Buffer.from(descriptorSet.join(""), "base64");
}
