export { loadDescriptorSet } from "./descriptors.js";
export * from "./gen/index.js";
