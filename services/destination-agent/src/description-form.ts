/*
 * Is a description one that an agent could have made? Admission compares, lists and keeps what stands in
 * it, so its sizes are bounded here: 100,000 properties of a processor would keep the agent busy for seconds,
 * and everybody's tethers hang on the same event loop.
 */
import { invalid, isHostId } from "@ferry/agent-kit";
import type { GuestDescription } from "@ferry/contract";

/** QEMU's expansion of a model has some 500, of which a quarter travels. */
const PROPERTIES_MAX = 4_096;
/** Of all names and values together. */
const PROPERTY_CHARACTERS_MAX = 256 * 1_024;
const VERSION_CHARACTERS_MAX = 64;

/** Refuses what no agent makes. The specification has a form of its own. */
export function checkDescription({
  sourceAgentId,
  sourceHostId,
  cpuProperties,
  qemuVersion,
}: GuestDescription): void {
  if (!isHostId(sourceHostId)) {
    throw invalid("description.source_host_id", "the source's host, as Begin told it");
  }
  if (sourceAgentId !== `${sourceHostId}/source`) {
    throw invalid("description.source_agent_id", `"${sourceHostId}/source" is wanted`);
  }
  if (qemuVersion.length > VERSION_CHARACTERS_MAX) {
    throw invalid("description.qemu_version", `at most ${VERSION_CHARACTERS_MAX} characters`);
  }
  const properties = Object.entries(cpuProperties);
  const characters = properties.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (properties.length > PROPERTIES_MAX || characters > PROPERTY_CHARACTERS_MAX) {
    throw invalid(
      "description.cpu_properties",
      `at most ${PROPERTIES_MAX}, of ${PROPERTY_CHARACTERS_MAX} characters together, as Begin told them`,
    );
  }
}
