import type { IpAddress } from '../../ip/address.ts';
import type { NodeContext } from '../desired/footprint.ts';
import {
  healthCheckAddresses,
  type NodePortNetwork,
  type NodePortPlaces,
  nodePortAddresses,
} from '../desired/node-port-addresses.ts';
import { dependsOnNodeAddresses } from '../desired/service.ts';
import type { MirrorView } from '../observed/mirror.ts';
import type { Reporter } from '../reporter.ts';
import type { Store } from './store.ts';

/** What the node's addresses are taken from. */
export interface NodeAddressSources {
  readonly mirror: MirrorView;
  readonly store: Store;
  readonly reporter: Pick<Reporter, 'healthCheckAddresses'>;
  readonly settings: Pick<NodeContext, 'nodeName' | 'scheduler' | 'externalIPs' | 'families'> & {
    readonly nodePortNetworks: readonly NodePortNetwork[];
  };
}

/** The addresses of the node, which came and went since the Services that depend on them were entered last, whoever reads them. */
export class NodeAddresses {
  readonly #sources: NodeAddressSources;
  #entered: readonly IpAddress[] = [];
  #listening = '';

  constructor(sources: NodeAddressSources) {
    this.#sources = sources;
  }

  /** Whether the node is known to have others by now. */
  get haveChanged(): boolean {
    const now = this.#sources.mirror.nodeAddresses;
    const isSame =
      now.length === this.#entered.length && now.every((one) => this.#entered.includes(one));
    return !isSame;
  }

  /** What footprints depend on of this node, as of now. */
  get context(): NodeContext {
    const { mirror, store, settings } = this.#sources;
    const { nodeName, scheduler, externalIPs, families } = settings;
    const places = this.#places;
    return {
      nodeName,
      scheduler,
      externalIPs,
      families,
      zone: store.lastNode?.zone ?? '',
      nodeIPs: places.nodeIPs,
      nodePortAddresses: nodePortAddresses(places),
      nodeAddresses: new Set(mirror.nodeAddresses),
    };
  }

  /** Has the Services that depend on the addresses entered anew if there are others, and says where health-check node ports listen. */
  markServices(): void {
    this.#reportListening();
    if (!this.haveChanged) return;
    this.#entered = this.#sources.mirror.nodeAddresses;
    this.#sources.store.markDirty(dependsOnNodeAddresses);
  }

  /** Once for each change. */
  #reportListening(): void {
    const addresses = healthCheckAddresses(this.#places);
    const text = addresses.join(' ');
    if (text !== this.#listening) this.#sources.reporter.healthCheckAddresses(addresses);
    this.#listening = text;
  }

  get #places(): NodePortPlaces {
    const { mirror, store, settings } = this.#sources;
    const { families, nodePortNetworks: networks } = settings;
    const nodeIPs = store.lastNode?.addresses ?? [];
    return { networks, families, nodeIPs, nodeAddresses: mirror.nodeAddresses };
  }
}
