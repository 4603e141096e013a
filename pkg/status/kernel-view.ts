import type { IpAddress } from '../ip/address.ts';
import {
  type Ipvs,
  type VirtualServer,
  type VirtualServerStatus,
  virtualServerKey,
} from '../ipvs/ipvs.ts';
import { noOptions, type ServiceOptions } from '../kube/annotations.ts';
import type { EndpointSlice, Node, Service } from '../kube/types.ts';
import { Pods } from '../proxy/changes/pod-index.ts';
import { Store } from '../proxy/changes/store.ts';
import type { FrontEnd, NodeContext } from '../proxy/desired/footprint.ts';
import { footprintsByPort } from '../proxy/desired/footprints.ts';
import { Ledger } from '../proxy/desired/ledger.ts';
import { type NodeSettings, nodeContext } from '../proxy/desired/node-context.ts';
import { PortFootprint } from '../proxy/desired/port-footprint.ts';
import { noRealServers } from '../proxy/desired/real-servers.ts';
import { unhonouredOf } from '../proxy/desired/unhonoured.ts';
import { Mirror } from '../proxy/observed/mirror.ts';
import { Yielder } from '../runner/yielder.ts';
import { type Connections, connectionsOf, type PageConnections } from './connections.ts';
import type { ServedView } from './served-view.ts';

/** The objects that tell what a node should serve. */
export interface ServedObjects {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  readonly node: Node | undefined;
}

export interface KernelViewOptions {
  /** `undefined` if IPVS is not loaded: there is nothing then. */
  readonly ipvs: Pick<Ipvs, 'virtualServers' | 'realServers'> | undefined;
  /** Those of the node's own devices. */
  readonly addresses: readonly IpAddress[];
  /** Without them no virtual server has a Service. */
  readonly objects: ServedObjects | undefined;
  /** The settings of the proxy of this node, as far as they are known. */
  readonly settings: NodeSettings;
  readonly serviceOptionsOf: ((service: Service) => ServiceOptions) | undefined;
  readonly now: () => number;
}

/** What a node serves as its kernel says it, with names from objects: whoever wrote it. */
export interface KernelView {
  readonly view: ServedView;
  /** The connections, as they were read. */
  readonly connections: { page(): PageConnections };
}

/** Reads the virtual servers and real servers that the kernel has now, and works out what it should have. Throws KernelError. */
export async function kernelView(options: KernelViewOptions): Promise<KernelView> {
  const { objects, settings, addresses, now } = options;
  const ledger = new Ledger();
  const mirror = new Mirror();
  const pods = new Pods(now);
  const store = new Store(now, { pods });
  const node = nodeContext(settings, { node: objects?.node, addresses });
  if (objects !== undefined) await enter(objects, { options, node, store, ledger });
  const connections = new Map<string, Connections>();
  const yielder = new Yielder(now);
  for (const virtualServer of (await options.ipvs?.virtualServers()) ?? []) {
    const key = virtualServerKey(virtualServer);
    const realServers = (await options.ipvs?.realServers(virtualServer)) ?? [];
    mirror.recordVirtualServer(key, { virtualServer, realServers });
    if (!ledger.wants(key)) ledger.retire(foreignFrontEnd(virtualServer));
    connections.set(key, connectionsOf(realServers));
    await yielder.yieldIfDue();
  }
  const { families } = settings;
  const readsAnnotations = options.serviceOptionsOf !== undefined;
  const view: ServedView = {
    store,
    pods,
    ledger,
    mirror,
    graceful: { drainsOf: nothing, drainsAt: () => [] },
    retries: { failures: nothing },
    entryFailure: () => undefined,
    unhonoured(service) {
      const cutOffPorts = ledger.footprints(service.key).filter(isCutOff).length;
      return unhonouredOf(service, { node, families, readsAnnotations, cutOffPorts });
    },
  };
  const of = async (id: VirtualServer) => connections.get(virtualServerKey(id));
  return { view, connections: { page: () => ({ of, unread: 0 }) } };
}

function* nothing(): Generator<never> {}

function isCutOff(footprint: unknown): boolean {
  return footprint instanceof PortFootprint && footprint.isCutOff;
}

/** Enters objects as a proxier does. */
async function enter(
  { services, slices }: ServedObjects,
  {
    options: { serviceOptionsOf, now },
    node,
    store,
    ledger,
  }: { options: KernelViewOptions; node: NodeContext; store: Store; ledger: Ledger },
): Promise<void> {
  const yielder = new Yielder(now);
  for (const object of slices) {
    store.apply({ type: 'set', kind: 'EndpointSlice', object, problems: [] });
    if (yielder.isDue) await yielder.yieldIfDue();
  }
  for (const service of services) {
    store.apply({ type: 'set', kind: 'Service', object: service, problems: [] });
    const entered = store.objects(service.key);
    if (entered === undefined) continue;
    const serviceOptions = serviceOptionsOf?.(service) ?? noOptions;
    for (const part of footprintsByPort({ ...entered, options: serviceOptions }, node)) {
      if (part !== undefined) ledger.set(part);
      if (yielder.isDue) await yielder.yieldIfDue();
    }
  }
}

/** The front end of a virtual server of which no Service is known. */
function foreignFrontEnd(virtualServer: VirtualServerStatus): FrontEnd {
  return {
    owner: undefined,
    virtualServer,
    addressKind: 'allocated',
    isBound: false,
    isExposed: false,
    options: noOptions,
    policy: undefined,
    realServers: noRealServers,
    entries: [],
  };
}
