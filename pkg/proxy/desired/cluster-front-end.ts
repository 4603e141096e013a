import { type IpPortEntry, ipPortEntry } from '../../ipset/ipset.ts';
import type { VirtualServer } from '../../ipvs/ipvs.ts';
import type { ServiceOptions } from '../../kube/annotations.ts';
import type { Conditions } from './conditions.ts';
import type { AddressKind, OwnedFrontEnd, SetEntry } from './footprint.ts';
import type { Policy, RealServers } from './real-servers.ts';
import type { Owner, ServicePort } from './service.ts';
import { virtualServerOf } from './virtual-server.ts';

/**
 * The front end of a port on its cluster IP. Every port of every Service has one, so it keeps only what its port does not say, and
 * the one entry whose key is a text of its own, which the ledger and the mirror hold too.
 */
export class ClusterFrontEnd implements OwnedFrontEnd {
  readonly virtualServer: VirtualServer;
  readonly options: ServiceOptions;
  readonly realServers: RealServers;
  readonly #port: ServicePort;
  readonly #served: IpPortEntry;

  constructor(port: ServicePort, conditions: Conditions) {
    this.#port = port;
    this.virtualServer = virtualServerOf(port, {
      address: port.clusterIP,
      port: port.port,
      conditions,
    });
    this.options = conditions.options;
    this.realServers = conditions.realServers.chosenBy(this.policy);
    this.#served = ipPortEntry({ ip: port.clusterIP, protocol: port.protocol, port: port.port });
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

  get entries(): readonly SetEntry[] {
    const { family, clusterIP: ip, healthCheckNodePort: port } = this.#port;
    const served: SetEntry = { set: 'clusterIp', family, entry: this.#served };
    const bound: SetEntry = { set: 'ipvsIps', family, entry: { type: 'hash:ip', ip } };
    if (port === 0) return [served, bound];
    // It lets load balancers ask for the health of the Service.
    return [
      served,
      bound,
      { set: 'healthCheckNodePort', family, entry: { type: 'bitmap:port', port } },
    ];
  }
}
