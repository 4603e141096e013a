import type { Subcommand } from './subcommand.ts';

/** The subcommands by name. */
export const subcommands: ReadonlyMap<string, Subcommand> = new Map([
  [
    'dump',
    {
      help: 'Writes what is needed to reproduce this node elsewhere to one file.',
      load: async () => (await import('./dump.ts')).dump,
    },
  ],
  [
    'explain',
    {
      help: 'Says what becomes of a packet on this node, and why a Service does not answer.',
      load: async () => (await import('./explain.ts')).explain,
    },
  ],
  [
    'plan',
    {
      help: 'Shows what a start would change on this node.',
      load: async () => (await import('./plan.ts')).plan,
    },
  ],
  [
    'status',
    {
      help: 'Shows what this node serves, what drains and until when, and what is wrong.',
      load: async () => (await import('./status.ts')).status,
    },
  ],
]);
