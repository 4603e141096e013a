import { readFile, stat } from 'node:fs/promises';
import type { GivenFlags } from '../../pkg/config/command-line.ts';
import { documentOf } from '../../pkg/config/document.ts';
import { type Loaded, load } from '../../pkg/config/load.ts';
import { printViolation } from '../../pkg/config/validate.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import type { Logger } from '../../pkg/log/log.ts';
import { type Clock, seconds, sleep } from '../../pkg/runner/clock.ts';

/** How many bytes a configuration file may have. */
const sizeLimit = 1024 * 1024;
/** How often the file is read. A mounted ConfigMap follows its object within a minute. */
const lookInterval = seconds(5);

/** The configuration that the program runs with, and the file to read again. */
export interface ConfigFile {
  readonly path: string;
  readonly given: GivenFlags;
  /** The result of {@link load} at the start. */
  readonly loaded: Loaded;
}

export interface ConfigWatchOptions {
  readonly file: ConfigFile;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called after each check with whether the file is refused, so that an older configuration is used. */
  readonly onLooked: (isRefused: boolean) => void;
}

/** Reads a configuration file. Throws an error whose message is one sentence. */
export async function readConfigText(path: string): Promise<string> {
  const status = await stat(path);
  if (!status.isFile()) throw new Error('is no file');
  if (status.size > sizeLimit) throw new Error(`is larger than ${sizeLimit} bytes`);
  return await readFile(path, 'utf8');
}

/**
 * Checks the configuration file until the signal aborts. Throws when it changed in meaning, so that the program ends and its
 * supervisor restarts it, as with upstream. A file that is invalid or missing changes nothing and is logged once.
 */
export async function watchConfigFile(
  { file, clock, log, onLooked }: ConfigWatchOptions,
  signal: AbortSignal,
): Promise<void> {
  const problemOf = rememberLast((text) => compare(text, file));
  let reported: string | undefined;
  onLooked(false);
  while (!signal.aborted) {
    await sleep(clock, lookInterval, signal);
    if (signal.aborted) return;
    const text = await readConfigText(file.path).catch((error: unknown) => ({ error }));
    const problem = typeof text === 'string' ? problemOf(text) : errorText(text.error);
    onLooked(problem !== undefined);
    if (problem !== undefined && problem !== reported)
      log.error('refused the changed configuration file, keeping what it said', problem, {
        path: file.path,
      });
    reported = problem;
  }
}

/** What is wrong with a text, or `undefined`. Throws if it is valid and differs in meaning from the current configuration. */
function compare(text: string, { path, given, loaded: before }: ConfigFile): string | undefined {
  let loaded: Loaded;
  try {
    loaded = load(given, text);
  } catch (error) {
    return errorText(error);
  }
  if (loaded.violations.length > 0) return loaded.violations.map(printViolation).join('; ');
  if (meaningOf(loaded) === meaningOf(before)) return undefined;
  throw new Error(`content of the proxy server's configuration file was updated: ${path}`);
}

/** Equal for files with the same meaning. */
function meaningOf({ settings }: Loaded): string {
  return JSON.stringify(documentOf(settings));
}

/** The function, called only if its argument differs from the last one. */
function rememberLast<Result>(work: (text: string) => Result): (text: string) => Result {
  let last: { readonly text: string; readonly result: Result } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, result: work(text) };
    return last.result;
  };
}
