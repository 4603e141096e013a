import type { IpAddress } from '../../ip/address.ts';
import type { Endpoint, EndpointTraits, PodIdentity } from '../types.ts';

/** An endpoint that shares its traits with others, as there may be 250,000 endpoints. */
export class SliceEndpoint implements Endpoint {
  readonly address: IpAddress;
  readonly podUid: PodIdentity;
  readonly slice: string;
  readonly traits: EndpointTraits;

  constructor(
    { address, podUid, slice }: Pick<Endpoint, 'address' | 'podUid' | 'slice'>,
    traits: EndpointTraits,
  ) {
    this.address = address;
    this.podUid = podUid;
    this.slice = slice;
    this.traits = traits;
  }

  get nodeName(): string {
    return this.traits.nodeName;
  }

  get ready(): boolean {
    return this.traits.ready;
  }

  get serving(): boolean {
    return this.traits.serving;
  }

  get terminating(): boolean {
    return this.traits.terminating;
  }

  get zoneHints(): readonly string[] {
    return this.traits.zoneHints;
  }

  get nodeHints(): readonly string[] {
    return this.traits.nodeHints;
  }
}
