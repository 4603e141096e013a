import { readFileSync } from 'node:fs';

// The table of docs/packets.md: what becomes of a packet, for everything that decides about it.

/** What decides, and the values of each. */
export const dimensions = {
  vip: ['Cluster IPs', 'External IPs', 'Load balancers', 'Node ports'],
  type: ['ClusterIP', 'NodePort', 'LoadBalancer'],
  internal: ['Cluster', 'Local'],
  external: ['Cluster', 'Local'],
  endpoints: ['both', 'remote', 'none', 'local terminating', 'both terminating'],
  client: ['pod', 'node', 'host network', 'pod elsewhere', 'outside'],
  detector: [
    ...(['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'] as const),
    ...(['masquerade-all', 'pod networks', 'nothing'] as const),
  ],
  ranges: ['none', 'in', 'out'],
} as const;

type Dimensions = typeof dimensions;
/** One of the things that decide. */
export type Dimension = keyof Dimensions;
/** A value of each. */
export type Combination = { readonly [Name in Dimension]: Dimensions[Name][number] };

/** One row: the values that it is about, and what becomes of the packet. */
export interface PacketRow {
  readonly line: number;
  readonly values: Readonly<Record<Dimension, ReadonlySet<string>>>;
  /** `both as client`, `dropped`. */
  readonly outcome: string;
}

const columns = [
  'type',
  'internal',
  'external',
  'endpoints',
  'client',
  'detector',
  'ranges',
] as const;

/** The rows of the table; throws at a value that its column does not have. */
export function packetRows(): readonly PacketRow[] {
  const rows: PacketRow[] = [];
  let vip = '';
  const lines = readFileSync(new URL('../../docs/packets.md', import.meta.url), 'utf8').split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.startsWith('## ')) vip = line.slice(3);
    const cells = line.split('|').map((cell) => cell.trim());
    if (cells.length !== columns.length + 4 || cells[1] === 'type' || /^-+$/.test(cells[1] ?? ''))
      continue;
    const names = ['vip', ...columns] as const;
    const texts = [vip, ...cells.slice(1)];
    const values = Object.fromEntries(
      names.map((name, column) => [name, valuesOf(name, texts[column] ?? '')]),
    ) as PacketRow['values']; // the names are those of all dimensions
    const [answeredBy = '', seenAs = ''] = cells.slice(columns.length + 1);
    rows.push({
      line: index + 1,
      values,
      outcome: seenAs ? `${answeredBy} as ${seenAs}` : answeredBy,
    });
  }
  return rows;
}

/** Whether a row is about a combination. */
export function isAbout({ values }: PacketRow, combination: Combination): boolean {
  for (const name in dimensions)
    if (!values[name as Dimension].has(combination[name as Dimension])) return false;
  return true;
}

/** Every combination of some dimensions with what others are fixed to. */
export function combinations(fixed: Partial<Combination>): readonly Combination[] {
  let all: readonly Partial<Combination>[] = [fixed];
  for (const name of Object.keys(dimensions) as Dimension[])
    if (!(name in fixed))
      all = all.flatMap((one) => dimensions[name].map((value) => ({ ...one, [name]: value })));
  return all as readonly Combination[]; // every dimension has a value
}

function valuesOf(name: Dimension, text: string): ReadonlySet<string> {
  const known: readonly string[] = dimensions[name];
  const values = text === '*' ? known : text.split(', ');
  for (const value of values)
    if (!known.includes(value)) throw new Error(`docs/packets.md: ${name} ${value}`);
  return new Set(values);
}
