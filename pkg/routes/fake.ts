import { type ErrnoCode, type Failure, KernelError } from '../errno/errno.ts';
import { familyOf, type IpAddress } from '../ip/address.ts';
import { prefix, prefixFamily, printPrefix } from '../ip/prefix.ts';
import {
  type LocalRoute,
  printLocalRoute,
  printRouteWrite,
  type Routes,
  type RouteWrite,
} from './routes.ts';

/** One call of the fake, or one write of a batch. */
export type RoutesCall =
  | { readonly call: 'routes' }
  | { readonly call: 'write'; readonly write: RouteWrite };

/** Local routes in memory. */
export class FakeRoutes implements Routes {
  /** How often each call was made; `write` counts batches. */
  readonly calls = { routes: 0, write: 0 };
  /** Returns the code that a call, or a single write of a batch, fails with. */
  failWith: (call: RoutesCall) => ErrnoCode | undefined = () => undefined;
  readonly #hasAddress: (address: IpAddress) => boolean;
  readonly #routes = new Map<string, LocalRoute>();

  /** `hasAddress` says whether a device has an address, which a source must be. */
  constructor(hasAddress: (address: IpAddress) => boolean) {
    this.#hasAddress = hasAddress;
  }

  async routes(): Promise<readonly LocalRoute[]> {
    this.calls.routes++;
    const code = this.failWith({ call: 'routes' });
    if (code !== undefined) throw new KernelError('list local routes', code);
    return [...this.#routes.values()];
  }

  write(batch: readonly RouteWrite[]): readonly Failure[] {
    this.calls.write++;
    return batch.flatMap((write, index) => {
      const code = this.failWith({ call: 'write', write }) ?? this.#write(write);
      return code === undefined
        ? []
        : [{ index, error: new KernelError(printRouteWrite(write), code) }];
    });
  }

  /** A line for each route, sorted: `172.30.0.0/16 src 192.168.0.10`. */
  dump(): string {
    return [...this.#routes.values()].map(printLocalRoute).sort().join('\n');
  }

  #write(write: RouteWrite): ErrnoCode | undefined {
    const { kind, network } = write;
    const { address } = prefix(network.address, network.length);
    if (address !== network.address) return 'EINVAL';
    if (kind === 'deleteRoute') {
      this.#routes.delete(printPrefix(network));
      return undefined;
    }
    const { source } = write;
    if (source !== undefined) {
      if (familyOf(source) !== prefixFamily(network)) return 'EINVAL';
      if (!this.#hasAddress(source)) return 'EINVAL';
    }
    this.#routes.set(printPrefix(network), { network, source });
    return undefined;
  }
}
