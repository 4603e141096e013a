import { ipPortEntry } from '../../ipset/ipset.ts';
import type { VirtualServer } from '../../ipvs/ipvs.ts';
import type { ServiceOptions } from '../../kube/annotations.ts';
import type { Conditions } from './conditions.ts';
import type { AddressKind, OwnedFrontEnd, SetEntry } from './footprint.ts';
import type { Policy, RealServers } from './real-servers.ts';
import type { Owner, ServicePort } from './service.ts';
import { virtualServerOf } from './virtual-server.ts';

/**
 * The front end of a port on its cluster IP. Every port of every Service has one, so it keeps only what its port does not say: its
 * entries are made whenever they are asked for.
 */
export class ClusterFrontEnd implements OwnedFrontEnd {
  readonly virtualServer: VirtualServer;
  readonly options: ServiceOptions;
  readonly realServers: RealServers;
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
    const { clusterIP: ip, protocol, port, family } = this.#port;
    return [
      { set: 'clusterIp', family, entry: ipPortEntry({ ip, protocol, port }) },
      { set: 'ipvsIps', family, entry: { type: 'hash:ip', ip } },
      ...healthCheckEntries(this.#port),
    ];
  }
}

/** What lets load balancers ask for the health of a Service. */
function healthCheckEntries({ family, healthCheckNodePort: port }: ServicePort): SetEntry[] {
  if (port === 0) return [];
  return [{ set: 'healthCheckNodePort', family, entry: { type: 'bitmap:port', port } }];
}
