import { hostname } from 'node:os';
import type { SubcommandLine } from '../../pkg/config/command-line.ts';
import { effective } from '../../pkg/config/effective.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { sourcesOf } from '../../pkg/dump/opened-sources.ts';
import { type OpenedDump, openDump } from '../../pkg/dump/read.ts';
import { loadConfiguration } from './load-configuration.ts';
import type { OpenReader } from './open-reader.ts';

/** The flag of subcommands that can read a dump in place of this node. */
export const fromDumpFlag = { name: 'from-dump', standsAlone: false } as const;

/** The node that a subcommand is about. */
export interface ChosenNode {
  readonly config: ProxyConfig;
  /** The node of a dump, with the interfaces of a node; `undefined` for this node. */
  readonly dumped: DumpedNode | undefined;
}

/** A dump that was opened, with the interfaces that this node has. */
export interface DumpedNode {
  readonly dump: OpenedDump;
  readonly reader: OpenReader;
}

/**
 * The node that the command line of a subcommand names: that of `--from-dump`, or this one. The configuration is that of the flags; with a
 * dump, and without `--config`, that of the dump, and the objects are those of the dump. Throws what is wrong with flags, configuration or
 * dump.
 */
export async function chooseNode(
  { flags, program }: SubcommandLine,
  command: string,
): Promise<ChosenNode> {
  const file = flags.get(fromDumpFlag.name) ?? '';
  if (flags.has(fromDumpFlag.name) && file === '') throw new Error('--from-dump: must name a file');
  if (program.action !== 'run' && program.action !== 'refuse')
    throw new Error(`${command} has no such flag (--help)`);
  const errors = program.action === 'refuse' ? program.errors : [];
  if (file === '') {
    const { settings } = await loadConfiguration(program.given, { errors });
    return { config: effective(settings, hostname()), dumped: undefined };
  }
  const dump = await openDump(file);
  const { settings } = await loadConfiguration(program.given, {
    errors,
    standIn: { place: `${file}: configuration`, text: JSON.stringify(dump.configuration) },
  });
  const config = effective(settings, dump.nodeName);
  return {
    config: { ...config, source: { type: 'manifests', path: file } },
    dumped: { dump, reader: { sources: sourcesOf(dump), close: () => undefined } },
  };
}
