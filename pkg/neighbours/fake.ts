import { type ErrnoCode, KernelError } from '../errno/errno.ts';
import type { IpAddress } from '../ip/address.ts';
import type { Neighbours } from './neighbours.ts';

/** A node that reaches every address but some. */
export class FakeNeighbours implements Neighbours {
  /** What was asked, in order. */
  readonly asked: IpAddress[] = [];
  readonly unreachable = new Set<IpAddress>();
  readonly local = new Set<IpAddress>();
  /** Fails a question with the code it returns. */
  failWith: (address: IpAddress) => ErrnoCode | undefined = () => undefined;

  canReach(address: IpAddress): boolean {
    this.asked.push(address);
    const code = this.failWith(address);
    if (code !== undefined) throw new KernelError(`find the route to ${address}`, code);
    return !this.unreachable.has(address);
  }

  isLocal(address: IpAddress): boolean {
    return this.local.has(address);
  }
}
