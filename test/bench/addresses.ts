/**
 * Whether addresses can be added to a device faster: in another order, with other prefix lengths and flags, to several devices; and
 * local routes in their place. Each cell is the CPU time of one `ip -batch` in a fresh network namespace, the least of some rounds.
 * Needs root and no IPVS: `hack/run node test/bench/addresses.ts [count]`, or in the virtual machine the same behind
 * `hack/with-kernel.sh`. `docs/netlink-facts.md` has what it showed.
 */
import { spawnSync } from 'node:child_process';
import { createNamespace, type Namespace } from '../support/namespace.ts';
import { printRatio, printTime, table } from './run.ts';

const [most = 10_000] = process.argv.slice(2).map(Number);
const rounds = 3;
const counts = [most / 4, most / 2, most].map(Math.round);

/** One way to bind so many addresses: what `ip` is told for each, in which order, and how many devices there are. */
interface Way {
  readonly name: string;
  readonly devices?: number;
  /** Devices are down if it is not said, as `kube-ipvs0` is. */
  readonly isUp?: boolean;
  readonly order?: (numbers: number[]) => number[];
  readonly words: (number: number, device: string) => string;
}

const ways: readonly Way[] = [
  { name: 'in order, /32', words: single },
  { name: 'reversed', words: single, order: (numbers) => numbers.toReversed() },
  { name: 'shuffled', words: single, order: shuffled },
  { name: '/24', words: (number, device) => added(`${ipv4(number)}/24`, device) },
  {
    name: '/24, IFA_F_NOPREFIXROUTE',
    words: (number, device) => added(`${ipv4(number)}/24`, `${device} noprefixroute`),
  },
  { name: 'IFA_F_NOPREFIXROUTE', words: (...one) => `${single(...one)} noprefixroute` },
  { name: 'scope host', words: (...one) => `${single(...one)} scope host` },
  { name: 'the device is up', words: single, isUp: true },
  { name: '4 devices in turns', words: single, devices: 4 },
  { name: '16 devices in turns', words: single, devices: 16 },
  {
    name: 'IPv6, /128, IFA_F_NODAD',
    words: (number, device) => added(`fd00:30::${number.toString(16)}/128`, `${device} nodad`),
  },
  {
    name: 'local routes in place of addresses',
    words: (number, device) => `route add local ${ipv4(number)} dev ${device} table local`,
    isUp: true,
  },
];

const type = deviceType();
console.error(`devices of type ${type}`);
const times = ways.map(() => counts.map(() => Number.POSITIVE_INFINITY));
// In turns, and the least of all rounds: others at work disturbed that one least.
for (let round = 0; round < rounds; round++)
  for (const [row, way] of ways.entries())
    for (const [column, count] of counts.entries()) {
      const cells = times[row] ?? [];
      cells[column] = Math.min(cells[column] ?? 0, timeOf(way, count));
    }
const [plain = []] = times;
console.log(
  table(
    ['', ...counts.map((count) => count.toLocaleString('en'))],
    ways.map(({ name }, row) => [
      name,
      ...(times[row] ?? []).map((time, at) =>
        row === 0 ? printTime(time) : printRatio(time, plain[at] ?? Number.NaN),
      ),
    ]),
  ),
);

function single(number: number, device: string): string {
  return added(`${ipv4(number)}/32`, device);
}

function added(prefix: string, device: string): string {
  return `address add ${prefix} dev ${device}`;
}

function ipv4(number: number): string {
  return `172.${16 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}

/** In an order that is the same each time. */
function shuffled(numbers: number[]): number[] {
  const keys = new Map<number, number>();
  let state = 1;
  for (const number of numbers) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    keys.set(number, state);
  }
  return numbers.toSorted((one, other) => (keys.get(one) ?? 0) - (keys.get(other) ?? 0));
}

/** `dummy`, or where the kernel has none another one whose packets go nowhere: the list of its addresses is the same code. */
function deviceType(): string {
  const namespace = createNamespace();
  try {
    return hasType(namespace, 'dummy') ? 'dummy' : 'ifb';
  } finally {
    namespace.remove();
  }
}

function hasType({ name }: Namespace, word: string): boolean {
  const words = ['-n', name, 'link', 'add', 'probe', 'type', word];
  return spawnSync('ip', words).status === 0;
}

/** Milliseconds of CPU, the kernel's included, that one `ip -batch` takes in a namespace of its own. */
function timeOf({ devices = 1, isUp = false, order, words }: Way, count: number): number {
  const namespace = createNamespace();
  try {
    const names = Array.from({ length: devices }, (_, index) => `vips${index}`);
    for (const name of names) {
      namespace.run('ip', 'link', 'add', name, 'type', type);
      if (isUp) namespace.run('ip', 'link', 'set', name, 'up');
    }
    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    const input = (order?.(numbers) ?? numbers)
      .map((number) => `${words(number, names[number % devices] ?? '')}\n`)
      .join('');
    // `times` prints the CPU of the shell, and on a line of its own that of what it started.
    const script = `ip -n ${namespace.name} -batch - && times`;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', script], {
      input,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stderr.slice(0, 400));
    return cpuOf(stdout.trim().split('\n').at(-1) ?? '');
  } finally {
    namespace.remove();
  }
}

/** Milliseconds in `0m0.012s 0m1.345s`: user and system. */
function cpuOf(line: string): number {
  const parts = [...line.matchAll(/(\d+)m([\d.]+)s/g)];
  return parts.reduce((sum, part) => sum + (Number(part[1]) * 60 + Number(part[2])) * 1000, 0);
}
