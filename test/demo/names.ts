import { request } from 'node:https';
import { connect } from 'node:tls';
import type { IpAddress } from '../../pkg/ip/address.ts';
import { resolve } from '../support/network/dns.ts';
import { dial } from '../support/network/http.ts';
import type { Host } from '../support/network/network.ts';
import type { Report } from './report.ts';
import { printCounts, vip } from './requests.ts';
import type { Stage } from './stage.ts';

const dnsAddress = '172.30.0.10' as IpAddress; // as kube-dns.yaml says

/** Names of Services over UDP, and the API server by its Service, as every pod uses them. */
export async function showDns(stage: Stage, report: Report): Promise<void> {
  report.section(`DNS over UDP, from a pod to kube-dns (${dnsAddress})`);
  const from = stage.pod('storefront');
  const names = [
    ['catalog', 'A'],
    ['payments', 'AAAA'],
    ['orders-db', 'A'],
    ['mail', 'CNAME'],
  ] as const;
  const rows = await Promise.all(
    names.map(async ([service, type]) => {
      const name = `${service}.shop.svc.cluster.local`;
      const answers = await resolve(from, { server: dnsAddress, name, type }).catch(
        (error: Error) => [error.message],
      );
      return [name, type, answers.join('  ')];
    }),
  );
  report.table([['NAME', 'TYPE', 'ANSWER'], ...rows]);
  const more = Array.from({ length: 20 }, () =>
    resolve(from, { server: dnsAddress, name: 'cart.shop.svc.cluster.local', type: 'A' }).then(
      () => true,
      () => false,
    ),
  );
  const answered = (await Promise.all(more)).filter(Boolean).length;
  const servers = [...stage.pods.values()].filter(({ name }) => name.startsWith('coredns-'));
  const counts = new Map(servers.map(({ name, questions }) => [name, questions]));
  report.line(`  24 questions, each from a fresh port, answered by ${printCounts(counts)}`);
  const isGood = rows[0]?.[2] === vip(stage, 'shop/catalog') && rows[3]?.[2] === 'smtp.example.com';
  const isSpread = servers.every(({ questions }) => questions >= 6);
  report.check(
    isGood && answered === 20 && isSpread,
    'DNS over UDP answers, from both of its pods',
  );
  const version = await apiVersion(stage, from).catch((error: Error) => error.message);
  report.line(`  https://172.30.0.1 (default/kubernetes) from pod ${from.name}: ${version}`);
  report.check(version.startsWith('v1.'), 'pods reach the API server by its Service');
}

/** The version of the API server, asked through its cluster IP. */
async function apiVersion({ server }: Stage, from: Host): Promise<string> {
  const address = '172.30.0.1' as IpAddress;
  const text = await new Promise<string>((done, reject) => {
    const socket = connect({
      socket: dial(from, { address, port: 443 }),
      ca: server.authority,
      host: address,
    });
    const client = request({
      path: '/version',
      headers: { authorization: `Bearer ${server.credentials.any()}` },
      host: address,
      createConnection: () => socket,
      timeout: 10_000,
    });
    client.on('timeout', () => client.destroy(new Error('no answer in time')));
    client.on('error', reject).on('response', (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => done(body));
    });
    client.end();
  });
  return String((JSON.parse(text) as { gitVersion?: string }).gitVersion);
}
