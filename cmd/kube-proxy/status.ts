import { readSubcommandLine, type SubcommandLine } from '../../pkg/config/command-line.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import { type Clock, sleep, systemClock } from '../../pkg/runner/clock.ts';
import { parseDuration } from '../../pkg/runner/duration.ts';
import { readQuery } from '../../pkg/status/query.ts';
import { wantsColours } from '../../pkg/terminal/terminal.ts';
import { chooseNode, fromDumpFlag } from './from-dump.ts';
import { statusHelp } from './status-help.ts';
import { jsonOutput, type StatusOutput, textOutput } from './status-output.ts';
import { type OpenSources, openStatus, readerOf, type StatusReader } from './status-reader.ts';
import type { RunSubcommand } from './subcommand.ts';

/** What the command needs of the process and the machine. */
export interface StatusOptions {
  /** Whether standard output is a terminal. */
  readonly isTerminal?: boolean;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  /** Opens the kernel; that of the machine unless a test says otherwise. */
  readonly open?: () => Promise<OpenSources>;
  /** Returns a signal that ends `--watch`; SIGINT and SIGTERM unless a test says otherwise. */
  readonly stopSignal?: () => AbortSignal;
}

const flags = [
  { name: 'output', shorthand: 'o', standsAlone: false },
  { name: 'namespace', shorthand: 'n', standsAlone: false },
  { name: 'name', standsAlone: false },
  { name: 'address', standsAlone: false },
  { name: 'watch', standsAlone: true },
  { name: 'interval', standsAlone: false },
  fromDumpFlag,
];

/** The flags that are parameters of the running proxy's page. */
const filters = ['namespace', 'name', 'address'];

/** The exit statuses beside 0 and 1. */
const statuses = { wrong: 2, nothing: 3 } as const;

/** `kube-proxy status`: shows what this node serves. Throws what keeps it from that. */
export const status: RunSubcommand = statusWith({});

/** The command in another environment than that of the process. */
export function statusWith({
  isTerminal = process.stdout.isTTY,
  env = process.env,
  clock = systemClock,
  open = openStatus,
  stopSignal = processSignal,
}: StatusOptions): RunSubcommand {
  return async (argv, { log, print }) => {
    const line = readSubcommandLine(argv, flags);
    if (line.program.action === 'help') {
      await print(statusHelp);
      return 0;
    }
    const { filter, isJson, interval } = wishOf(line);
    const { config, dumped } = await chooseNode(line, 'status');
    if (dumped !== undefined && interval !== undefined)
      throw new Error('--watch: a dump does not change');
    const signal = interval === undefined ? undefined : stopSignal();
    const sources = dumped?.reader ?? (await open());
    const reader = readerOf(config, { sources, log, env, clock, dump: dumped?.dump });
    const isColoured = wantsColours({ isTerminal, env });
    const isWatching = interval !== undefined;
    const output = () =>
      isJson ? jsonOutput(print, { isOneLine: isWatching }) : textOutput(print, { isColoured });
    try {
      if (interval === undefined || signal === undefined)
        return statusOf(await show(reader, { filter, output: output() }));
      const begin = isTerminal && !isJson ? '\u001b[H\u001b[2J\u001b[3J' : '';
      await watch(
        async () => {
          await print(begin);
          await show(reader, { filter, output: output() });
        },
        { clock, interval, signal, onFailed: (error) => print(`${errorText(error)}\n`) },
      );
      return 0;
    } finally {
      sources.close();
    }
  };
}

/** What was shown. */
type Shown = Pick<StatusOutput, 'isWell' | 'services'>;

function statusOf({ isWell, services }: Shown): number {
  if (services === 0) return statuses.nothing;
  return isWell ? 0 : statuses.wrong;
}

/** Shows everything once, page by page. */
async function show(
  reader: StatusReader,
  { filter, output }: { filter: URLSearchParams; output: StatusOutput },
): Promise<Shown> {
  const { source, notes, page } = await reader.begin(filter);
  await output.begin({ source, notes });
  const parameters = new URLSearchParams(filter);
  for (let last = ''; ; ) {
    const report = await page(parameters);
    await output.page(report);
    if (report.continue === null) break;
    // Every page is after the one before, so that it ends.
    if (report.continue <= last)
      throw new Error(`the page after ${last} begins anew: ${report.continue}`);
    last = report.continue;
    parameters.set('continue', last);
  }
  await output.end();
  return output;
}

/** Repeats something until a signal comes. What fails the first time is thrown, and later only told. */
async function watch(
  once: () => Promise<void>,
  {
    clock,
    interval,
    signal,
    onFailed,
  }: {
    readonly clock: Clock;
    readonly interval: number;
    readonly signal: AbortSignal;
    readonly onFailed: (error: unknown) => Promise<void>;
  },
): Promise<void> {
  await once();
  for (;;) {
    await sleep(clock, interval, signal);
    if (signal.aborted) return;
    try {
      await once();
    } catch (error) {
      await onFailed(error);
    }
  }
}

/** What the flags of the command ask for. Throws if one is invalid. `interval`, in milliseconds, is `undefined` without `--watch`. */
function wishOf({ flags: given, positionals: [unexpected] }: SubcommandLine) {
  const filter = new URLSearchParams();
  for (const name of filters) if (given.has(name)) filter.set(name, given.get(name) ?? '');
  const query = readQuery(filter);
  const output = given.get('output') ?? 'text';
  const interval = parseDuration(given.get('interval') ?? '2s');
  const problems = [
    ...('problem' in query ? [`--${query.problem}`] : []),
    ...(output === 'text' || output === 'json' ? [] : ['--output: must be text or json']),
    ...(interval !== undefined && interval >= 100 ? [] : ['--interval: must be 100ms or more']),
    ...(unexpected === undefined ? [] : [`unexpected argument ${JSON.stringify(unexpected)}`]),
  ];
  if (problems.length > 0) throw new Error(problems.join('; '));
  return {
    filter,
    isJson: output === 'json',
    interval: given.has('watch') ? interval : undefined,
  };
}

/** Aborts when the process is asked to end. */
function processSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}
