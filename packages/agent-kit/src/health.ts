/*
 * grpc.health.v1: whether an agent, and each of its services, takes calls. The gRPC project's own package
 * loads protobufjs and the contract's text for these three answers: 80 ms of every start, and 3 MB.
 */
import {
  HealthCheckResponse_ServingStatus as Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthServer,
  HealthService,
} from "@ferry/contract";
import { type Server, type ServerWritableStream, status } from "@grpc/grpc-js";

type Watch = ServerWritableStream<HealthCheckRequest, HealthCheckResponse>;

export class HealthBook {
  readonly #healths = new Map<string, Health>();
  readonly #watches = new Set<Watch>();

  /** `service`: its full name; "" stands for the whole agent. */
  set(service: string, isServing: boolean): void {
    const health = isServing ? Health.SERVING : Health.NOT_SERVING;
    if (this.#healths.get(service) === health) return;
    this.#healths.set(service, health);
    for (const watch of this.#watches) {
      if (watch.request.service === service) watch.write({ status: health });
    }
  }

  addTo(server: Server): void {
    const answers: HealthServer = {
      check: ({ request: { service } }, callback) => {
        const health = this.#healths.get(service);
        if (health !== undefined) callback(null, { status: health });
        else callback({ code: status.NOT_FOUND, details: `no service ${service} here` });
      },
      // It stays open, also for a service that is not known, until whoever watches hangs up.
      watch: (watch: Watch) => {
        this.#watches.add(watch);
        watch.on("cancelled", () => this.#watches.delete(watch));
        watch.write({ status: this.#healths.get(watch.request.service) ?? Health.SERVICE_UNKNOWN });
      },
      list: (_call, callback) => {
        const healths = [...this.#healths].map(([name, health]) => [name, { status: health }]);
        callback(null, { statuses: Object.fromEntries(healths) });
      },
    };
    server.addService(HealthService, answers);
  }
}
