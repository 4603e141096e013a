import type { IpAddress } from '../../ip/address.ts';
import type { Node } from '../../kube/types.ts';
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

interface Made {
  readonly node: Node | undefined;
  readonly addresses: readonly IpAddress[];
  readonly context: NodeContext;
}

/** The addresses of the node, which came and went since the Services that depend on them were entered last, whoever reads them. */
export class NodeAddresses {
  readonly #sources: NodeAddressSources;
  #entered: readonly IpAddress[] = [];
  #listening = '';
  /** The last context, and what it was made from. */
  #made: Made | undefined;

  constructor(sources: NodeAddressSources) {
    this.#sources = sources;
  }

  /** Whether the node is known to have others by now. */
  get haveChanged(): boolean {
    const now = this.#sources.mirror.nodeAddresses;
    if (now === this.#entered) return false;
    const isSame =
      now.length === this.#entered.length && now.every((one) => this.#entered.includes(one));
    return !isSame;
  }

  /** What footprints depend on of this node, as of now. */
  get context(): NodeContext {
    const known = this.#known;
    if (known !== undefined) return known;
    const { mirror, store } = this.#sources;
    const context = this.#context();
    this.#made = { node: store.lastNode, addresses: mirror.nodeAddresses, context };
    return context;
  }

  /** The last context, if nothing has changed since it was made. */
  get #known(): NodeContext | undefined {
    const { mirror, store } = this.#sources;
    const last = this.#made;
    const isSame = last?.node === store.lastNode && last?.addresses === mirror.nodeAddresses;
    return isSame ? last?.context : undefined;
  }

  #context(): NodeContext {
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
    if (this.#known === undefined) this.#reportListening();
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
