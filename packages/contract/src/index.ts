export { TIMEOUT_MAX_MS } from "./bounds.js";
export { loadDescriptorSet } from "./descriptors.js";
export {
  DETAILS_KEY,
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
  isRequestId,
  migrationSpanIdOf,
  REQUEST_ID_KEY,
  readTraceparent,
  TRACEPARENT_KEY,
  type TraceContext,
  traceIdOf,
  withRequestInfo,
  writeTraceparent,
} from "./trace-context.js";
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
