export { loadDescriptorSet } from "./descriptors.js";
export {
  Fault,
  type FaultDetails,
  type FaultStatus,
  type FieldViolation,
  toStatus,
} from "./faults.js";
export * from "./gen/index.js";
export { type FaultRead, readFault } from "./read-fault.js";
export {
  BLOCKERS,
  type BlockerReason,
  FAILURES,
  type FailureReason,
  type FaultReason,
  type Meaning,
  REASONS,
  type Reason,
} from "./reasons.js";
export { addReflection } from "./reflection.js";
export {
  decodeTunnelRequest,
  decodeTunnelResponse,
  encodeTunnelRequest,
  encodeTunnelResponse,
  type Pieces,
  TUNNEL_DATA_BYTES_MAX,
  type TunnelRequestIn,
  type TunnelRequestOut,
  tunnelMethod,
} from "./tunnel-codec.js";
