import type { Family, IpAddress } from '../../pkg/ip/address.ts';
import { get, type Reply } from '../support/network/http.ts';
import type { Host } from '../support/network/network.ts';
import type { SocketAddress } from '../support/network/sockets.ts';
import type { Report } from './report.ts';
import { clusterAddresses, nameOf } from './shop.ts';
import { addressOf, type Stage } from './stage.ts';

/** One line of the demo: who asks what, and what must come of it. */
interface Visit {
  readonly from: Host;
  readonly who: string;
  readonly what: string;
  readonly to: SocketAddress;
  /** How many back ends must have answered, each about equally often. */
  readonly realServers: number;
  /** Whether the back ends must see the node in place of the client. */
  readonly isMasqueraded?: boolean;
}

const requestsEach = 12;

/** Requests from a pod, from the node and from outside: who answers, and whom the back end saw. */
export async function showRequests(stage: Stage, report: Report): Promise<void> {
  report.section(`Requests over HTTP, ${requestsEach} each, every one on a connection of its own`);
  const results = [];
  for (const visit of visits(stage)) results.push({ visit, ...(await ask(visit)) });
  const rows = results.map(({ visit, text, seen, isGood }) => [
    visit.who,
    visit.what,
    text,
    seen,
    isGood ? '' : '✗',
  ]);
  report.table([['FROM', 'TO', 'ANSWERED BY', 'BACK END SAW', ''], ...rows]);
  const bad = results.filter(({ isGood }) => !isGood);
  report.check(
    bad.length === 0,
    bad.length === 0
      ? 'pods, the node and clients outside reach every kind of Service, spread over its back ends'
      : `${bad.length} of ${results.length} kinds of requests are not as they should be: ${bad.map(({ visit }) => `${visit.what} from ${visit.who}`).join('; ')}`,
  );
  await showRefusal(stage, report);
}

function visits(stage: Stage): Visit[] {
  const pod = stage.pod('newsletter');
  const { node, outside } = stage;
  const at = (service: string, port: number, family: Family = 'IPv4') => ({
    address: vip(stage, service, family),
    port,
  });
  const nodePort = (family: Family) => ({ address: addressOf(node, family), port: 30080 });
  const fromPod = { from: pod, who: `pod ${pod.name}` };
  const fromNode = { from: node, who: `node ${node.name}` };
  const fromOutside = { from: outside, who: 'a client outside', isMasqueraded: true };
  const sessions = stage.pod('sessions');
  return [
    { ...fromPod, what: 'catalog', to: at('shop/catalog', 80), realServers: 3 },
    { ...fromNode, what: 'catalog', to: at('shop/catalog', 80), realServers: 3 },
    { ...fromPod, what: 'checkout, port metrics', to: at('shop/checkout', 9090), realServers: 2 },
    { ...fromPod, what: 'search, one pod not ready', to: at('shop/search', 9200), realServers: 2 },
    {
      from: sessions,
      who: `pod ${sessions.name}`,
      what: 'sessions, which is itself',
      to: at('shop/sessions', 6379),
      realServers: 1,
      isMasqueraded: true,
    },
    { ...fromPod, what: 'cart, session affinity', to: at('shop/cart', 80), realServers: 1 },
    {
      ...fromNode,
      what: 'payments over IPv6',
      to: at('shop/payments', 8000, 'IPv6'),
      realServers: 2,
    },
    { ...fromNode, what: 'reviews, IPv6 only', to: at('shop/reviews', 80, 'IPv6'), realServers: 2 },
    { ...fromOutside, what: 'storefront, node port 30080', to: nodePort('IPv4'), realServers: 3 },
    { ...fromOutside, what: 'the same over IPv6', to: nodePort('IPv6'), realServers: 3 },
  ];
}

/** A cluster IP of a Service; throws if it has none of that family. */
export function vip({ server }: Stage, service: string, family: Family = 'IPv4'): IpAddress {
  const object = server.objects('Service').find((candidate) => nameOf(candidate) === service);
  const address = clusterAddresses(object ?? {}).find(
    (candidate) => candidate.includes(':') === (family === 'IPv6'),
  );
  if (address === undefined) throw new Error(`${service} has no ${family} address`);
  return address;
}

/** Counts who answered, as `dxl8k 10`, most first. */
export function countByPod(replies: readonly Reply[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { pod } of replies) counts.set(pod, (counts.get(pod) ?? 0) + 1);
  return new Map([...counts].sort(([, one], [, other]) => other - one));
}

/** `dxl8k 10  qg5k6 9` */
export function printCounts(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([pod, count]) => `${lastPart(pod)} ${count}`).join('  ');
}

/** `dxl8k`, of a pod `catalog-dxl8k`. */
export function lastPart(pod: string): string {
  return pod.slice(pod.lastIndexOf('-') + 1);
}

async function ask({
  from,
  to,
  realServers,
  isMasqueraded = false,
}: Visit): Promise<{ text: string; seen: string; isGood: boolean }> {
  const replies: Reply[] = [];
  const failures: string[] = [];
  for (let asked = 0; asked < requestsEach; asked++) {
    await get(from, to).then(
      (reply) => replies.push(reply),
      (error: unknown) => failures.push(error instanceof Error ? error.message : String(error)),
    );
  }
  const counts = countByPod(replies);
  const failed = failures.length === 0 ? '' : `  ${failures.length} failed: ${failures[0]}`;
  const least = Math.min(...counts.values());
  const isSeen = ({ peer }: Reply) => isOwn(peer, from) !== isMasqueraded;
  const isSpread = counts.size === realServers && least >= requestsEach / realServers / 2;
  return {
    text: `${printCounts(counts)}${failed}`,
    seen: [...new Set(replies.map(({ peer }) => describePeer(peer, from)))].join(', '),
    isGood: failures.length === 0 && isSpread && replies.every(isSeen),
  };
}

function describePeer(peer: string, from: Host): string {
  return `${peer}, ${isOwn(peer, from) ? 'its own' : 'masqueraded'}`;
}

function isOwn(peer: string, { addresses }: Host): boolean {
  return addresses.some((address) => address === peer);
}

/** A Service that nobody serves: its clients are refused at once. */
async function showRefusal(stage: Stage, report: Report): Promise<void> {
  const to = { address: vip(stage, 'shop/recommend'), port: 80 };
  const outcome = await get(stage.node, to).then(
    () => 'answered',
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );
  report.line(`  recommend has no back end: the node is told ${outcome}`);
  report.check(outcome === 'ECONNREFUSED', 'a Service without back ends refuses its clients');
}
