import { ipPortEntry } from '../../ipset/ipset.ts';
import type { VirtualServer } from '../../ipvs/ipvs.ts';
import type { ServiceOptions } from '../../kube/annotations.ts';
import type { Conditions } from './conditions.ts';
import type { AddressKind, OwnedFrontEnd, SetEntry } from './footprint.ts';
import type { Policy, RealServers } from './real-servers.ts';
import type { Owner, ServicePort } from './service.ts';
import { virtualServerOf } from './virtual-server.ts';

/**
 * The front end of a port on its cluster IP. Every port of every Service has one, so it keeps only what its port does not say, and
 * its entries, which the ledger and the mirror hold too.
 */
export class ClusterFrontEnd implements OwnedFrontEnd {
  readonly virtualServer: VirtualServer;
  readonly options: ServiceOptions;
  readonly realServers: RealServers;
  readonly entries: readonly SetEntry[];
  readonly #port: ServicePort;

  constructor(port: ServicePort, conditions: Conditions) {
    this.#port = port;
    this.virtualServer = virtualServerOf(port, {
      address: port.clusterIP,
      port: port.port,
      conditions,
    });
    this.options = conditions.options;
    this.realServers = conditions.realServers.chosenBy(this.policy);
    this.entries = clusterEntries(port);
  }

  get owner(): Owner {
    return this.#port.service;
  }

  get addressKind(): AddressKind {
    return 'allocated';
  }

  get isBound(): boolean {
    return true;
  }

  get isExposed(): boolean {
    return false;
  }

  get policy(): Policy {
    return this.#port.isInternalPolicyLocal ? 'localOnly' : 'cluster';
  }
}

function clusterEntries({
  clusterIP: ip,
  protocol,
  port,
  family,
  healthCheckNodePort,
}: ServicePort): readonly SetEntry[] {
  const served: SetEntry = { set: 'clusterIp', family, entry: ipPortEntry({ ip, protocol, port }) };
  const bound: SetEntry = { set: 'ipvsIps', family, entry: { type: 'hash:ip', ip } };
  if (healthCheckNodePort === 0) return [served, bound];
  const entry = { type: 'bitmap:port', port: healthCheckNodePort } as const;
  // It lets load balancers ask for the health of the Service.
  return [served, bound, { set: 'healthCheckNodePort', family, entry }];
}
