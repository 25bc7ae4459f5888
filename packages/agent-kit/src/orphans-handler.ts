/* AgentService.ListOrphans, the same on both agents. Everybody may look; only an operator may sweep. */
import { type ListOrphansRequest, type ListOrphansResponse, OrphanKind } from "@ferry/contract";
import { requireAsk } from "./identity.js";
import type { Orphans } from "./orphans.js";
import type { OrphanFound } from "./orphans-remove.js";
import { type CallContext, checkAddressee } from "./server.js";

export function orphansHandler(orphans: Orphans, agentId: string) {
  return async (
    request: ListOrphansRequest,
    { peer }: Pick<CallContext, "peer">,
  ): Promise<ListOrphansResponse> => {
    checkAddressee(request, agentId);
    const found = request.sweep
      ? await orphans.sweep(requireAsk(peer, "sweep"))
      : await orphans.list();
    return { agentId, orphans: found.map((each) => ({ ...each, kind: KINDS[each.kind] })) };
  };
}

const KINDS: Record<OrphanFound["kind"], OrphanKind> = {
  process: OrphanKind.PROCESS,
  run_directory: OrphanKind.RUN_DIRECTORY,
  cgroup: OrphanKind.CGROUP,
  record: OrphanKind.RECORD,
};
