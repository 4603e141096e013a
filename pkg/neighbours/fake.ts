import { type ErrnoCode, KernelError } from '../errno/errno.ts';
import type { IpAddress } from '../ip/address.ts';
import { single } from '../ip/prefix.ts';
import type { Neighbours, Route, RouteTables, TableRoute } from './neighbours.ts';

/** A route over several devices, of which none is named. */
const unnamed: Route = {
  kind: 'device',
  device: undefined,
  gateway: undefined,
  source: undefined,
};

/** A node that can reach all addresses but some. */
export class FakeNeighbours implements Neighbours, RouteTables {
  /** The addresses asked for, in order. */
  readonly asked: IpAddress[] = [];
  readonly unreachable = new Set<IpAddress>();
  readonly local = new Set<IpAddress>();
  /** The routes by devices; to all other addresses one leads that names no device. */
  readonly routes = new Map<IpAddress, Route>();
  /** Returns the code that a call fails with. */
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

  route(address: IpAddress): Route {
    if (this.local.has(address)) return { kind: 'local' };
    if (this.unreachable.has(address)) return { kind: 'none' };
    return this.routes.get(address) ?? unnamed;
  }

  async tableRoutes(limit: number) {
    const all: readonly TableRoute[] = [
      ...[...this.local].map((address) => tableRoute(address, { kind: 'local' })),
      ...[...this.routes].map(([address, route]) => tableRoute(address, route)),
    ];
    return { isWhole: all.length <= limit, routes: all.slice(0, limit) };
  }
}

function tableRoute(address: IpAddress, route: Route): TableRoute {
  const table = route.kind === 'local' ? 'local' : 'main';
  return { table, network: single(address), priority: 0, route };
}
