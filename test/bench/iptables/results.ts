/** Ways to reach a Service; `none` connects to a pod without one. */
export const modeNames = ['ipvs', 'iptables-nft', 'iptables-legacy', 'nftables', 'none'] as const;
/** One of {@link modeNames}. */
export type ModeName = (typeof modeNames)[number];

/** A value that was not reached within the limit of time, or a program that refused. */
export type Outcome = number | 'timeout' | 'failed';

/** One value of one run. */
export interface Row {
  readonly run: number;
  readonly mode: ModeName;
  readonly services: number;
  readonly endpoints: number;
  /** Ends with its unit: `program_wall_ms`. */
  readonly measure: string;
  readonly value: Outcome;
}

/** What a file of results holds. */
export interface Results {
  /** What each invocation ran on. */
  readonly environments: readonly string[];
  readonly rows: readonly Row[];
}

const columns = ['run', 'mode', 'services', 'endpoints', 'measure', 'value'] as const;

/** The first line of a file of results. */
export const header = `${columns.join(',')}\n`;

/** A line of a file of results. */
export function printRow(row: Row): string {
  return `${columns.map((column) => row[column]).join(',')}\n`;
}

/** The line that begins an invocation. */
export function printEnvironment(text: string): string {
  return `# ${text}\n`;
}

/** Reads files of results, one after the other in one text. Throws, with the number, at a line that is none. */
export function parseResults(text: string): Results {
  const environments = new Set<string>();
  const rows: Row[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '' || `${line}\n` === header) continue;
    if (line.startsWith('# ')) environments.add(line.slice(2));
    else rows.push(parseRow(line, index + 1));
  }
  return { environments: [...environments], rows };
}

function parseRow(line: string, number: number): Row {
  const cells = line.split(',');
  const [run, services, endpoints] = [cells[0], cells[2], cells[3]].map(numberOf);
  const mode = modeNames.find((name) => name === cells[1]);
  const measure = cells[4];
  const value = cells[5] === 'timeout' || cells[5] === 'failed' ? cells[5] : numberOf(cells[5]);
  const numbers = [run, services, endpoints, ...(typeof value === 'number' ? [value] : [])];
  if (cells.length !== columns.length || !mode || !measure || numbers.some(Number.isNaN))
    throw new Error(`line ${number} is no result: ${line}`);
  return {
    run: run ?? 0,
    mode,
    services: services ?? 0,
    endpoints: endpoints ?? 0,
    measure,
    value,
  };
}

/** NaN of an empty cell too, as a line that was cut off ends. */
function numberOf(text: string | undefined): number {
  return text ? Number(text) : Number.NaN;
}
