import type { EndpointPort, EndpointTraits, ServicePortSpec } from '../types.ts';

/** How many texts a pool keeps; a cluster has far fewer nodes, zones and port names. */
const poolLimit = 200_000;
/** Lists of up to so many ports are mostly those of other objects too. */
const fewPorts = 4;
/** How many traits of endpoints of one node are kept; mostly it is one zone in two or three conditions. */
const traitsLimit = 32;

/**
 * Keeps one copy of texts that come again and again (node names, zones, port names, namespaces), so that
 * a quarter of a million endpoints share the names of a few thousand nodes.
 */
export class Pool {
  readonly #texts = new Map<string, string>();
  readonly #lists = new Map<string, readonly string[]>();
  readonly #slicePorts = new Map<string, readonly EndpointPort[]>();
  readonly #servicePorts = new Map<string, readonly ServicePortSpec[]>();
  /** By the node's name. */
  readonly #traits = new Map<string, EndpointTraits[]>();

  /** The one copy of a text. */
  text(text: string): string {
    if (text === '') return '';
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= poolLimit) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }

  /** The one copy of a list of texts. */
  list(texts: readonly string[]): readonly string[] {
    if (texts.length === 0) return none;
    const key = texts.join('\n');
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    if (this.#lists.size >= poolLimit) this.#lists.clear();
    const list = Object.freeze(texts.map((text) => this.text(text)));
    this.#lists.set(key, list);
    return list;
  }

  /** The one copy of the ports of slices. */
  slicePorts(ports: readonly EndpointPort[]): readonly EndpointPort[] {
    return this.#onePorts(this.#slicePorts, ports);
  }

  /** The one copy of the ports of Services; those with node ports are nobody else's. */
  servicePorts(ports: readonly ServicePortSpec[]): readonly ServicePortSpec[] {
    const isShared = ports.every(({ nodePort }) => nodePort === 0);
    return isShared ? this.#onePorts(this.#servicePorts, ports) : compact(ports);
  }

  #onePorts<Port extends EndpointPort>(
    known: Map<string, readonly Port[]>,
    ports: readonly Port[],
  ): readonly Port[] {
    if (ports.length === 0 || ports.length > fewPorts) return compact(ports);
    const key = ports.map(({ name, protocol, port }) => `${port} ${protocol} ${name}`).join('\n');
    const one = known.get(key);
    if (one !== undefined) return one;
    if (known.size >= poolLimit) known.clear();
    const list = compact(ports);
    known.set(key, list);
    return list;
  }

  /** The one copy of the traits of endpoints, which are made of pooled texts and lists. */
  traits(traits: EndpointTraits): EndpointTraits {
    const { nodeName } = traits;
    const ofNode = this.#traits.get(nodeName);
    const known = ofNode?.find((some) => areSame(some, traits));
    if (known !== undefined) return known;
    if (ofNode !== undefined) {
      if (ofNode.length >= traitsLimit) ofNode.length = 0;
      ofNode.push(traits);
      return traits;
    }
    if (this.#traits.size >= poolLimit) this.#traits.clear();
    this.#traits.set(nodeName, [traits]);
    return traits;
  }
}

/** Whether traits of one node say the same; lists that do are one list. */
function areSame(one: EndpointTraits, other: EndpointTraits): boolean {
  return (
    one.ready === other.ready &&
    one.serving === other.serving &&
    one.terminating === other.terminating &&
    one.zoneHints === other.zoneHints &&
    one.nodeHints === other.nodeHints
  );
}

const none: readonly never[] = Object.freeze([]);

/**
 * The same list in no more memory than it needs: arrays that grew have room for a dozen more, and there is one empty
 * list for all.
 */
export function compact<Item>(list: readonly Item[]): readonly Item[] {
  return list.length === 0 ? none : list.slice();
}
