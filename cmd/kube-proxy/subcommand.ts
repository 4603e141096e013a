import type { ProgramLog } from '../../pkg/log/log.ts';
import type { ProgressBoard } from '../../pkg/runner/progress.ts';

/** What a subcommand writes to. */
export interface SubcommandOutputs {
  readonly log: ProgramLog;
  /** Writes to standard output. Resolves when it is written. */
  readonly print: (text: string) => Promise<void>;
  /** Shows work that takes long: as a bar if standard error is a terminal, else by lines of the log. */
  readonly progress?: ProgressBoard;
}

/** Runs a subcommand with the arguments after its name. Returns the exit status. Throws what keeps it from an answer. */
export type RunSubcommand = (
  argv: readonly string[],
  outputs: SubcommandOutputs,
) => Promise<number>;

/** A subcommand of the program: it only reads, and waits for no other instance. */
export interface Subcommand {
  /** One sentence, for `--help`. */
  readonly help: string;
  /** Loads it when it is called, so that a start pays nothing for it. */
  readonly load: () => Promise<RunSubcommand>;
}
