import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { endpoint, service, servicePort, slice } from '../../../test/support/objects.ts';
import { Stand, setService, setSlice } from '../../../test/support/proxier.ts';
import type { Service } from '../../kube/types.ts';

/** What a first sync does with servers and addresses, in its order: `+vs 172.30.0.1:80/TCP`, `+address 172.30.0.1`. */
async function firstSync(services: readonly Service[]): Promise<readonly string[]> {
  const stand = new Stand();
  for (const one of services) stand.tell(setService(one), setSlice(sliceOf(one)));
  await stand.sync();
  await stand.stop();
  return stand.log
    .lines()
    .map((line) => /operation\W+(\+(?:vs|rs|address) [^\s"']+)/.exec(line)?.[1])
    .filter((operation) => operation !== undefined);
}

function sliceOf({ namespace, name }: Service) {
  return slice([endpoint('10.0.0.1')], { namespace, name: `${name}-1`, serviceName: name });
}

test('an address comes after every server behind it', async () => {
  const ports = [servicePort(), servicePort({ name: 'other', port: 81 })];
  expect(await firstSync([service({ ports })])).toEqual([
    '+vs 172.30.0.1:80/TCP',
    '+rs 172.30.0.1:80/TCP',
    '+vs 172.30.0.1:81/TCP',
    '+address 172.30.0.1',
  ]);
});

test('addresses come together, those of urgent Services without waiting for the others', async () => {
  const at = (last: number, over: Partial<Service>) =>
    service({ clusterIPs: [ip(`172.30.0.${last}`)], ...over });
  const services = [
    at(1, { name: 'a' }),
    at(2, { name: 'b' }),
    at(3, { name: 'dns', namespace: 'kube-system' }),
    at(4, { name: 'kubernetes', namespace: 'default' }),
  ];
  const kinds = (await firstSync(services)).filter((operation) => !operation.startsWith('+rs'));
  expect(kinds).toEqual([
    '+vs 172.30.0.4:80/TCP',
    '+address 172.30.0.4',
    '+vs 172.30.0.3:80/TCP',
    '+address 172.30.0.3',
    '+vs 172.30.0.1:80/TCP',
    '+vs 172.30.0.2:80/TCP',
    '+address 172.30.0.1',
    '+address 172.30.0.2',
  ]);
});

test('of a Service with more ports than are planned at once, too, the address comes last', async () => {
  const ports = Array.from({ length: 200 }, (_, index) =>
    servicePort({ name: `p${index}`, port: 1000 + index }),
  );
  const operations = await firstSync([service({ ports })]);
  expect(operations.length).toBe(201);
  expect(operations.at(-1)).toBe('+address 172.30.0.1');
});
