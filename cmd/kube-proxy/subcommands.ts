import type { Subcommand } from './subcommand.ts';

/** The subcommands by name. */
export const subcommands: ReadonlyMap<string, Subcommand> = new Map([
  [
    'plan',
    {
      help: 'Shows what a start would change on this node.',
      load: async () => (await import('./plan.ts')).runPlan,
    },
  ],
]);
