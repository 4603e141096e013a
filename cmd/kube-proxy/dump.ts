import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { readSubcommandLine, type SubcommandLine } from '../../pkg/config/command-line.ts';
import { dumpedDocument } from '../../pkg/config/dumped.ts';
import { effective } from '../../pkg/config/effective.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { version } from '../../pkg/config/version.ts';
import { anonymizer } from '../../pkg/dump/anonymous/anonymize.ts';
import type { NodeDump } from '../../pkg/dump/dump.ts';
import type { Unread } from '../../pkg/dump/node-parts.ts';
import { readNode } from '../../pkg/dump/read-node.ts';
import { asItIs } from '../../pkg/dump/replace.ts';
import { chunks, dumpText } from '../../pkg/dump/write.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import type { ProgramLog } from '../../pkg/log/log.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import { parseDuration } from '../../pkg/runner/duration.ts';
import { ProgressBoard } from '../../pkg/runner/progress.ts';
import { writePrivately } from './dump-file.ts';
import { dumpHelp } from './dump-help.ts';
import { readDumpedObjects } from './dump-objects.ts';
import { loadConfiguration } from './load-configuration.ts';
import type { OpenReader } from './open-reader.ts';
import { readRunningProxy } from './running-proxy.ts';
import type { RunSubcommand } from './subcommand.ts';

const flags = [
  { name: 'output', shorthand: 'o', standsAlone: false },
  { name: 'wait', standsAlone: false },
  { name: 'anonymize', standsAlone: true },
];

/** How many bytes of metrics are dumped. */
const metricsLimit = 16 * 1024 * 1024;
/** How many bytes of the log are dumped. */
const logLimit = 1024 * 1024;

/** What the command reads; the machine unless a test says otherwise. */
export interface DumpOptions {
  readonly open?: () => Promise<OpenReader>;
}

/** `kube-proxy dump`: writes what is needed to reproduce this node. Throws what keeps it from a dump. */
export const dump: RunSubcommand = dumpWith({});

/** The command on another node than this machine. */
export function dumpWith({ open = openThisNode }: DumpOptions): RunSubcommand {
  return async (argv, { log, print, progress = new ProgressBoard() }) => {
    const line = readSubcommandLine(argv, flags);
    const { program } = line;
    if (program.action === 'help') {
      await print(dumpHelp);
      return 0;
    }
    if (program.action === 'version') throw new Error('dump has no --version');
    const { output, wait, isAnonymous } = optionsOf(line);
    const errors = program.action === 'refuse' ? program.errors : [];
    const { settings } = await loadConfiguration(program.given, { errors });
    const config = effective(settings, hostname());
    const found = { ...(await collect(config, { log, wait, open, progress })), isAnonymous };
    const replace = isAnonymous ? anonymizer(found, () => randomBytes(32)) : asItIs;
    const text = chunks(dumpText(found, replace));
    if (output === undefined) for (const chunk of text) await print(chunk);
    else await writePrivately(output, text);
    for (const { part, reason } of found.unread)
      log.error('not in the dump', undefined, { part, reason });
    return found.unread.length === 0 ? 0 : 2;
  };
}

async function openThisNode(): Promise<OpenReader> {
  const { openReader } = await import('./open-reader.ts');
  return openReader();
}

/** The options of the command itself. Throws if one is invalid. `wait` is in milliseconds. */
function optionsOf({ flags: given, positionals: [unexpected] }: SubcommandLine) {
  const output = given.get('output');
  if (given.has('output') && (output ?? '') === '') throw new Error('--output: must name a file');
  const wait = parseDuration(given.get('wait') ?? '60s');
  if (wait === undefined || wait <= 0)
    throw new Error(`--wait: must be a positive duration: ${given.get('wait')}`);
  if (unexpected !== undefined)
    throw new Error(`unexpected argument ${JSON.stringify(unexpected)}`);
  if (given.get('anonymize') !== undefined)
    throw new Error(`--anonymize: takes no value: ${given.get('anonymize')}`);
  return { output, wait, isAnonymous: given.has('anonymize') };
}

/** Reads everything that a dump has. */
async function collect(
  config: ProxyConfig,
  {
    open,
    ...reading
  }: {
    log: ProgramLog;
    wait: number;
    open: NonNullable<DumpOptions['open']>;
    progress: ProgressBoard;
  },
): Promise<Omit<NodeDump, 'isAnonymous'>> {
  const unread: Unread[] = [];
  const attempt = async <Value>(part: string, read: () => Promise<Value>) => {
    try {
      return await read();
    } catch (error) {
      unread.push({ part, reason: errorText(error) });
      return undefined;
    }
  };
  const objects = await attempt('objects', () => readDumpedObjects(config, reading));
  const metrics = await attempt('metrics', () =>
    readRunningProxy(config, { path: '/metrics', limit: metricsLimit }),
  );
  const lastLines = await attempt('log', () =>
    readRunningProxy(config, { path: '/debug/ipvs/log', limit: logLimit }),
  );
  const { sources, close } = await open();
  try {
    const asked = [
      ...(objects?.slices ?? []).flatMap(({ endpoints }) => endpoints.map((one) => one.address)),
      ...(objects?.node?.addresses ?? []),
    ];
    const node = await readNode(sources, { asked, progress: reading.progress });
    return {
      nodeName: config.nodeName,
      taken: systemClock.wallClock(),
      versions: { program: version, runtime: `node ${process.version}` },
      configuration: dumpedDocument(config.settings),
      objects,
      node: node.parts,
      metrics: metrics?.split('\n'),
      log: lastLines?.split('\n'),
      unread: [...unread, ...node.unread],
    };
  } finally {
    close();
  }
}
