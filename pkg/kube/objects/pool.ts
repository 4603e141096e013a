import type { EndpointPort, EndpointTraits, ServicePortSpec } from '../types.ts';

/** How many texts a pool keeps; a cluster has far fewer node names, zones and port names. */
const poolLimit = 200_000;
/** Lists of up to so many ports are shared, as other objects mostly have the same. */
const fewPorts = 4;
/** How many traits of endpoints of one node are kept. Mostly there are two or three: one zone in different conditions. */
const traitsLimit = 32;

/**
 * Keeps one copy of texts that are repeated (node names, zones, port names, namespaces), so that 250,000 endpoints share the names
 * of a few thousand nodes.
 */
export class Pool {
  readonly #texts = new Map<string, string>();
  readonly #lists = new Map<string, readonly string[]>();
  readonly #slicePorts = new Map<string, readonly EndpointPort[]>();
  readonly #servicePorts = new Map<string, readonly ServicePortSpec[]>();
  /** By node name. */
  readonly #traits = new Map<string, EndpointTraits[]>();

  /** The shared copy of a text. */
  text(text: string): string {
    if (text === '') return '';
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    if (this.#texts.size >= poolLimit) this.#texts.clear();
    this.#texts.set(text, text);
    return text;
  }

  /** The shared copy of a list of texts. */
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

  /** The shared copy of the ports of slices. */
  slicePorts(ports: readonly EndpointPort[]): readonly EndpointPort[] {
    return this.#onePorts(this.#slicePorts, ports);
  }

  /** The shared copy of the ports of Services. Ports with node ports are not shared, as no other Service has them. */
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

  /** The shared copy of the traits of endpoints. Their lists must be from this pool. */
  traits(traits: EndpointTraits): EndpointTraits {
    const { nodeName } = traits;
    const ofNode = this.#traits.get(nodeName);
    const known = ofNode?.find((some) => areSame(some, traits));
    if (known !== undefined) return known;
    const kept = { ...traits, nodeName: this.text(nodeName) };
    if (ofNode !== undefined) {
      if (ofNode.length >= traitsLimit) ofNode.length = 0;
      ofNode.push(kept);
      return kept;
    }
    if (this.#traits.size >= poolLimit) this.#traits.clear();
    this.#traits.set(kept.nodeName, [kept]);
    return kept;
  }
}

/** Whether traits of one node are equal. Their lists are shared, so they are compared by reference. */
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

/** A list without spare capacity: arrays that grew have room for a dozen more. All empty lists are one. */
export function compact<Item>(list: readonly Item[]): readonly Item[] {
  return list.length === 0 ? none : list.slice();
}
