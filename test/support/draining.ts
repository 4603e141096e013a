import type { RealServerId, VirtualServerId } from '../../pkg/ipvs/ipvs.ts';
import type { Change } from '../../pkg/kube/types.ts';
import { minutes, seconds } from '../../pkg/runner/clock.ts';
import { ip } from './addresses.ts';
import { endpoint, service, slice } from './objects.ts';
import { Stand, setService, setSlice } from './proxier.ts';

// One Service with two endpoints, of which the second one is to go.

/** `shop/web`. */
export const web: VirtualServerId = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 };
/** Its node port. */
export const nodeWeb: VirtualServerId = {
  address: ip('192.168.0.10'),
  protocol: 'TCP',
  port: 30_080,
};
/** Its endpoints. */
export const one = endpoint('10.0.0.1');
/** An endpoint of `shop/web`, beside {@link one}. */
export const two = endpoint('10.0.0.2');
const realServer: RealServerId = { address: two.address, port: 8080 };
/** {@link two} in other conditions. */
export const terminating = { ...two, ready: false, terminating: true };
/** {@link two} in other conditions: it serves no more. */
export const dying = { ...terminating, serving: false };
/** What a test has started. */
export const stands: Stand[] = [];

/** Ends it. */
export async function stopStands(): Promise<void> {
  for (const stand of stands.splice(0)) await stand.stop();
}

/** A proxier in which `shop/web` has both endpoints. */
export async function start(
  over: ConstructorParameters<typeof Stand>[0] = {},
  object = service(),
): Promise<Stand> {
  const stand = new Stand({ syncPeriod: minutes(60), ...over });
  stands.push(stand);
  stand.report(
    setService(object),
    setSlice(
      slice([one, two], {
        ports: object.ports.map(({ name, protocol }) => ({ name, protocol, port: 8080 })),
      }),
    ),
  );
  await stand.sync();
  return stand;
}

/** Ends a proxier and starts another one on its kernel, to which some objects are reported. */
export async function restart(first: Stand, ...changes: readonly Change[]): Promise<Stand> {
  await first.stop();
  const second = new Stand({ kernel: first.kernel, clock: first.clock });
  stands.push(second);
  second.report(...changes);
  await second.sync();
  return second;
}

/** A proxier in which {@link two} drained when it was restarted, two minutes ago. */
export async function restartDraining(): Promise<Stand> {
  const first = await start();
  connect(first);
  first.report(setSlice(slice([one, terminating])));
  await first.settle(seconds(10));
  const objects = [setService(service()), setSlice(slice([one, terminating]))];
  const second = await restart(first, ...objects);
  await second.settle(minutes(2));
  return second;
}

/** {@link two} gets connections. */
export function connect(
  { kernel }: Stand,
  counters: { active?: number; closing?: number; packets?: readonly [number, number] } = {},
  virtualServer = web,
): void {
  const { active = 1, closing = 0, packets = [0, 0] } = counters;
  kernel.ipvs.setCounters(virtualServer, realServer, {
    activeConnections: active,
    inactiveConnections: closing,
    statistics: {
      connections: 1n,
      incomingPackets: BigInt(packets[0]),
      outgoingPackets: BigInt(packets[1]),
      incomingBytes: 0n,
      outgoingBytes: 0n,
    },
  });
}

/** What weight {@link two} has, if it is there. */
export async function weight({ kernel }: Stand, virtualServer = web): Promise<number | undefined> {
  const found = await kernel.ipvs.realServers(virtualServer);
  return found.find(({ address }) => address === two.address)?.weight;
}
