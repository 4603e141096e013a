import { join } from 'node:path';
import { ApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { textAt } from '@kube-proxy-ipvs/test-apiserver/objects';
import { expect, test } from 'vitest';
import { ip } from '../support/addresses.ts';
import {
  clusterAddresses,
  nameOf,
  podsOf,
  readShop,
  readyAddresses,
  wantedVirtualServers,
} from './shop.ts';

const objects = readShop(join(import.meta.dirname, '../../hack/demo/shop'));
const server = new ApiServer({ tls: false });
for (const object of objects) server.apply(object);
const services = server.objects('Service');
const slices = server.objects('EndpointSlice');
const nodeAddresses = [ip('192.168.0.10'), ip('fd00:192:168::10')];
const wanted = wantedVirtualServers(services, { slices, nodeAddresses });

test('the shop has Services of every kind', () => {
  expect(services.length).toBeGreaterThan(10);
  const kinds = services.map((service) => textAt(service, 'spec.type'));
  expect(new Set(kinds)).toEqual(new Set(['ClusterIP', 'NodePort', 'ExternalName']));
  const without = services.filter((service) => clusterAddresses(service).length === 0);
  expect(without.map(nameOf)).toEqual(['shop/mail', 'shop/orders-db']);
  expect(services.some((service) => clusterAddresses(service).length === 2)).toBe(true);
  expect(new Set(wanted.map(({ protocol }) => protocol))).toEqual(new Set(['TCP', 'UDP']));
});

test('a node port is asked for on the addresses of the families that its Service has', () => {
  const ofStorefront = wanted.filter(({ service }) => service === 'shop/storefront');
  const places = ofStorefront.map(
    ({ address, port, portName }) => `${address} ${port} ${portName}`,
  );
  expect(wanted.filter(({ portName }) => portName.includes('node port')).length).toBe(2);
  expect(places.slice(2)).toEqual([
    '192.168.0.10 30080 http, node port',
    'fd00:192:168::10 30080 http, node port',
  ]);
});

test('each virtual server has the ready pods of its own family and port', () => {
  const realServers = (name: string, portName: string) =>
    wanted
      .filter((one) => one.service === name && one.portName === portName)
      .map((one) => one.realServers);
  expect(realServers('shop/search', 'http')).toEqual([['10.0.1.26:9200', '10.0.1.27:9200']]);
  expect(realServers('shop/checkout', 'metrics')[0]?.every((one) => one.endsWith(':9090'))).toBe(
    true,
  );
  expect(realServers('shop/payments', 'http')[1]?.every((one) => one.startsWith('[fd00:'))).toBe(
    true,
  );
  expect(realServers('shop/recommend', 'http')).toEqual([[]]);
});

test('a pod that several slices speak of is one pod, with the addresses and ports of all', () => {
  const pods = podsOf(slices);
  expect(new Set(pods.map(({ name }) => name)).size).toBe(pods.length);
  const pod = pods.find(({ name }) => name === 'storefront-ngq2c');
  expect(pod?.addresses).toEqual(['10.0.1.11', 'fd00:10:0:1::b']);
  const dns = pods.find(({ name }) => name.startsWith('coredns-'));
  expect(dns?.ports).toContainEqual({ port: 53, protocol: 'UDP' });
  expect(dns?.ports).toContainEqual({ port: 53, protocol: 'TCP' });
});

test('of a headless Service the ready addresses are known', () => {
  expect(readyAddresses('shop/orders-db', slices)).toEqual(['10.0.1.29', '10.0.1.30']);
  expect(readyAddresses('shop/search', slices)).not.toContain('10.0.1.28');
});
