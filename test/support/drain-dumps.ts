import type { RealServerId, VirtualServerId } from '../../pkg/ipvs/ipvs.ts';
import { minutes } from '../../pkg/runner/clock.ts';
import { ip } from './addresses.ts';
import { endpoint, service, slice } from './objects.ts';
import { Stand, setService, setSlice } from './proxier.ts';

/** So many real servers drain, evenly behind so many virtual servers, and none of them ever comes to an end. */
export interface DrainLoad {
  readonly drains: number;
  readonly virtualServers: number;
}

/**
 * How often the kernel is asked for real servers in each minute after some begin to drain, on a kernel and with a clock in
 * memory: the same numbers whatever the machine. With none, a cluster of the same size in which nothing happens.
 */
export async function dumpsByMinute(
  { drains, virtualServers }: DrainLoad,
  count: number,
): Promise<readonly number[]> {
  const stand = new Stand({ syncPeriod: minutes(10_000) });
  const realServers = Math.max(1, Math.ceil(drains / virtualServers));
  for (let index = 0; index < virtualServers; index++)
    stand.report(
      setService(serviceOf(index)),
      setSlice(sliceOf(index, { realServers, ready: true })),
    );
  await stand.sync();
  await stand.settle(minutes(1));
  const { ipvs } = stand.kernel;
  if (drains > 0) {
    for (let index = 0; index < virtualServers; index++) {
      for (let number = 0; number < realServers; number++)
        ipvs.setCounters(virtualServerOf(index), realServerOf(index, number), {
          activeConnections: 1,
        });
    }
    for (let index = 0; index < virtualServers; index++)
      stand.report(setSlice(sliceOf(index, { realServers, ready: false })));
  }
  ipvs.resetCalls();
  const dumps: number[] = [];
  for (let minute = 0; minute < count; minute++) {
    await stand.settle(minutes(1));
    dumps.push(ipvs.calls.realServers);
    ipvs.resetCalls();
  }
  const { size } = stand.proxier.graceful;
  if (size !== drains) throw new Error(`${size} drain instead of ${drains}`);
  await stand.stop();
  return dumps;
}

function serviceOf(index: number) {
  return service({ name: `s${index}`, clusterIPs: [virtualServerOf(index).address] });
}

function virtualServerOf(index: number): VirtualServerId {
  return { address: ip(`172.30.${1 + (index >> 8)}.${index & 255}`), protocol: 'TCP', port: 80 };
}

function realServerOf(index: number, number: number): RealServerId {
  return { address: ip(`10.${1 + number}.${index >> 8}.${index & 255}`), port: 8080 };
}

/** One that stays, and those that drain while they are not ready. */
function sliceOf(index: number, { realServers, ready }: { realServers: number; ready: boolean }) {
  const leaving = Array.from({ length: realServers }, (_, number) =>
    endpoint(realServerOf(index, number).address, { ready }),
  );
  const staying = endpoint(`10.0.${index >> 8}.${index & 255}`);
  return slice([staying, ...leaving], { name: `s${index}-1`, serviceName: `s${index}` });
}
