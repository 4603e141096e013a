import { textAt } from '@kube-proxy-ipvs/test-apiserver/objects';
import { type HeldVirtualServer, heldVirtualServers, virtualServerKey } from './kernel.ts';
import type { Report } from './report.ts';
import { lastPart } from './requests.ts';
import {
  clusterAddresses,
  nameOf,
  type WantedVirtualServer,
  wantedVirtualServers,
} from './shop.ts';
import type { Stage } from './stage.ts';

/** What the shop's Services ask for at this moment. */
export function wantedNow({ server, network }: Stage): WantedVirtualServer[] {
  return wantedVirtualServers(server.objects('Service'), {
    slices: server.objects('EndpointSlice'),
    nodeAddresses: network.node.addresses,
  });
}

/** What is not as the Services ask for it, in words; nothing if the kernel holds just that. */
export function differences(
  wanted: readonly WantedVirtualServer[],
  held: ReadonlyMap<string, HeldVirtualServer>,
): string[] {
  const keys = new Map(
    wanted.map((virtualServer) => [virtualServerKey(virtualServer), virtualServer]),
  );
  const surplus = [...held.keys()]
    .filter((key) => !keys.has(key))
    .map((key) => `${key} is not asked for`);
  const lacks = [...keys].flatMap(([key, { realServers }]) => {
    const virtualServer = held.get(key);
    if (virtualServer === undefined) return [`${key} is missing`];
    const alive = [...virtualServer.weights]
      .filter(([, weight]) => weight > 0)
      .map(([realServer]) => realServer);
    const isSame = alive.toSorted().join() === realServers.toSorted().join();
    return isSame ? [] : [`${key} has ${alive.join(' ')}, not ${realServers.join(' ')}`];
  });
  return [...surplus, ...lacks];
}

/** The virtual servers of the node by Service, as a table, and a check that they are those that the Services ask for. */
export function showVirtualServers(stage: Stage, report: Report): void {
  report.section('Virtual servers in the kernel, by Service');
  const wanted = wantedNow(stage);
  const held = heldVirtualServers(stage.node.namespace);
  const podNames = new Map(
    [...stage.pods.values()].flatMap(({ name, addresses }) =>
      addresses.map((address) => [`${address}`, name] as const),
    ),
  );
  let last = '';
  const rows = wanted.map((virtualServer) => {
    const key = virtualServerKey(virtualServer);
    const [protocol = '', place = ''] = key.split(' ');
    const { scheduler = '(missing)', persistence, weights } = held.get(key) ?? {};
    const service = virtualServer.service === last ? '' : virtualServer.service;
    last = virtualServer.service;
    return [
      service,
      virtualServer.portName,
      `${protocol} ${place}`,
      `${scheduler}${persistence === undefined ? '' : `, sticks ${persistence} s`}`,
      printRealServers([...(weights?.keys() ?? [])], podNames),
    ];
  });
  report.table([['SERVICE', 'PORT', 'VIRTUAL SERVER', 'SCHEDULER', 'REAL SERVERS'], ...rows]);
  report.line(
    `  ${report.style('dim', 'cwgmr is the pod catalog-cwgmr, and :8080 the port it listens on.')}`,
  );
  const without = stage.server
    .objects('Service')
    .filter((service) => clusterAddresses(service).length === 0);
  report.line(
    `  not in the kernel: ${without.map((service) => `${nameOf(service)} (${textAt(service, 'spec.type') === 'ExternalName' ? 'ExternalName' : 'headless'})`).join(', ')}`,
  );
  const wrong = differences(wanted, held);
  const count = new Set(wanted.map(({ service }) => service)).size;
  report.check(
    wrong.length === 0,
    wrong.length === 0
      ? `the kernel holds the ${held.size} virtual servers of ${count} Services, and nothing else`
      : `the kernel does not hold what the Services ask for: ${wrong.slice(0, 3).join('; ')}`,
  );
}

/** `:8080 dxl8k qg5k6`: the port, and the ends of the pods' names. */
export function printRealServers(
  realServers: readonly string[],
  podNames: ReadonlyMap<string, string>,
): string {
  if (realServers.length === 0) return '(none)';
  const [first = ''] = realServers;
  const port = /:(\d+)$/.exec(first)?.[0] ?? '';
  const names = realServers.map((realServer) => {
    const address = realServer.replace(/:\d+$/, '').replaceAll(/[[\]]/g, '');
    return lastPart(podNames.get(address) ?? address);
  });
  return `${port} ${names.join(' ')}`;
}
