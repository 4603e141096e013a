import { type Family, familyOf, type IpAddress, isLoopback } from '../../ip/address.ts';
import type { Node } from '../../kube/types.ts';
import type { Logger } from '../../log/log.ts';
import type { NodeContext } from '../desired/footprint.ts';
import {
  type NodeFacts,
  type NodeSettings,
  nodeContext,
  nodePlaces,
} from '../desired/node-context.ts';
import type { NodeIPs } from '../desired/node-ips.ts';
import { healthCheckAddresses, type NodePortPlaces } from '../desired/node-port-addresses.ts';
import { dependsOnNodeAddresses } from '../desired/service.ts';
import type { MirrorView } from '../observed/mirror.ts';
import type { Reporter } from '../reporter.ts';
import type { Store } from './store.ts';

/** The sources of the node's addresses. */
export interface NodeAddressSources {
  readonly mirror: MirrorView;
  readonly store: Store;
  readonly reporter: Pick<Reporter, 'healthCheckAddresses'>;
  readonly log: Logger;
  readonly settings: NodeSettings;
}

const loopbackFallback =
  'the node IP is a loopback address: source ranges are compared with it, and "primary" limits no node ports; --bind-address sets it';

interface Made {
  readonly node: Node | undefined;
  readonly addresses: readonly IpAddress[];
  readonly context: NodeContext;
}

/** The addresses of the node, and whether they have changed since the Services that depend on them were marked last. */
export class NodeAddresses {
  readonly #sources: NodeAddressSources;
  #entered: readonly IpAddress[] = [];
  #listening = '';
  /** The node IPs that were logged last. */
  #logged = '';
  /** The last context, and what it was made from. */
  #made: Made | undefined;

  constructor(sources: NodeAddressSources) {
    this.#sources = sources;
  }

  /** Whether the addresses have changed since the Services were marked. */
  get haveChanged(): boolean {
    const now = this.#sources.mirror.nodeAddresses;
    if (now === this.#entered) return false;
    const isSame =
      now.length === this.#entered.length && now.every((one) => this.#entered.includes(one));
    return !isSame;
  }

  /** The current values of this node that footprints depend on. */
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
    return nodeContext(this.#sources.settings, this.#facts);
  }

  /** Throws if the primary family is not served. Called once the Node is known, as its addresses may decide the family. */
  requirePrimaryFamily(): void {
    const { primaryFamily } = this;
    if (!this.#sources.settings.families.includes(primaryFamily))
      throw new Error(`no support for primary IP family ${primaryFamily}`);
  }

  /** The current family of the node's primary address. */
  get primaryFamily(): Family {
    return familyOf(this.#nodeIPs[0]);
  }

  /** If addresses changed, marks the Services that depend on them. Reports where health-check node ports listen. */
  markServices(): void {
    if (this.#known === undefined) {
      this.#logNodeIPs();
      this.#reportListening();
    }
    if (!this.haveChanged) return;
    this.#entered = this.#sources.mirror.nodeAddresses;
    this.#sources.store.markDirty(dependsOnNodeAddresses);
  }

  /** Reports where health-check node ports listen, once for each change. */
  #reportListening(): void {
    const addresses = healthCheckAddresses(this.#places);
    const text = addresses.join(' ');
    if (text !== this.#listening) this.#sources.reporter.healthCheckAddresses(addresses);
    this.#listening = text;
  }

  /** Logs the node IPs once for each change, with warnings about a loopback address and a family that is not served. */
  #logNodeIPs(): void {
    const [primary, other] = this.#nodeIPs;
    const nodeIPs = `${primary} ${other}`;
    if (nodeIPs === this.#logged) return;
    const { log, settings } = this.#sources;
    const { primaryFamily } = this;
    const message = this.#logged === '' ? 'node IPs' : 'the node IPs changed';
    this.#logged = nodeIPs;
    log.info(message, { primaryFamily, nodeIPs });
    if (isLoopback(primary)) log.warn(loopbackFallback, { primaryFamily, nodeIP: primary });
    if (!settings.families.includes(primaryFamily))
      log.error('the primary IP family is not served on this node', undefined, { primaryFamily });
  }

  get #nodeIPs(): NodeIPs {
    return this.#places.nodeIPs;
  }

  get #places(): NodePortPlaces {
    return nodePlaces(this.#sources.settings, this.#facts);
  }

  get #facts(): NodeFacts {
    const { mirror, store } = this.#sources;
    return { node: store.lastNode, addresses: mirror.nodeAddresses };
  }
}
