import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { isatty } from 'node:tty';
import { type GivenFlags, readCommandLine } from '../../pkg/config/command-line.ts';
import { flagz } from '../../pkg/config/configz.ts';
import { documentOf } from '../../pkg/config/document.ts';
import { effective } from '../../pkg/config/effective.ts';
import type { Settings } from '../../pkg/config/fields.ts';
import { helpText } from '../../pkg/config/help.ts';
import type { Loaded } from '../../pkg/config/load.ts';
import type { Notice } from '../../pkg/config/notices.ts';
import { buildInfo, version } from '../../pkg/config/version.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import { createLogger, type LogFormat } from '../../pkg/log/log.ts';
import { openStandardError } from '../../pkg/log/standard-error.ts';
import { StatusLine } from '../../pkg/log/status-line.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import { ProgressBoard } from '../../pkg/runner/progress.ts';
import { drawProgress, logProgress } from '../../pkg/runner/show-progress.ts';
import { printYaml } from '../../pkg/yaml/yaml.ts';
import { loadConfiguration } from './load-configuration.ts';
import { postponeOptimization } from './optimization.ts';
import { nameProcess } from './process-name.ts';
import { unsupportedRuntime } from './runtime.ts';
import type { Subcommand } from './subcommand.ts';
import { subcommands } from './subcommands.ts';

/** How long the parts may take to end, in milliseconds. The kernel's state is valid whenever the program is killed. */
const stopPatience = 900;

// The only writer to standard error, as other ways block if nobody reads.
const statusLine = new StatusLine(openStandardError());
// Created again once the format is known.
let log = createLogger({ format: 'text', verbosity: 0, write: statusLine.write });
const unsupported = unsupportedRuntime(process.versions.node);
if (unsupported !== undefined) fail(unsupported);
process.on('uncaughtException', (error) => fail(`unexpected error: ${errorText(error)}`));
process.on('unhandledRejection', (error) => fail(`unexpected error: ${errorText(error)}`));
process.removeAllListeners('warning');
process.on('warning', ({ name, message }) => log.warn('Node warns', { name, message }));

const [name = '', ...argv] = process.argv.slice(2);
const subcommand = subcommands.get(name);
if (subcommand === undefined) await runProxy(process.argv.slice(2));
else await runSubcommand(subcommand, argv);

/** Does what a command line without a subcommand requests. */
async function runProxy(argv: readonly string[]): Promise<void> {
  const command = readCommandLine(argv);
  switch (command.action) {
    case 'help':
      process.stdout.write(helpText(subcommands));
      break;
    case 'version':
      process.stdout.write(
        `${command.isRaw ? JSON.stringify(buildInfo) : `Kubernetes ${version}`}\n`,
      );
      break;
    case 'refuse':
      await configurationOf(command.given, command.errors);
      break;
    case 'run':
      await run(command.given);
      break;
  }
}

/** Runs a subcommand. Ends the process with its status. */
async function runSubcommand({ load }: Subcommand, argv: readonly string[]): Promise<void> {
  const print = (text: string) =>
    new Promise<void>((resolve, reject) => {
      process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
    });
  let status: number;
  try {
    const execute = await load();
    status = await execute(argv, { log, print, progress: shownProgress() });
  } catch (error) {
    fail(errorText(error));
  }
  exit(status);
}

/** Does what flags and file ask for. Ends the process. */
async function run(given: GivenFlags): Promise<void> {
  postponeOptimization();
  nameProcess(process.argv.slice(2));
  const loaded = await configurationOf(given);
  const { settings } = loaded;
  startLog(settings);
  log.v(1)?.info('flags', flagz(settings));
  const target = settings['--write-config-to'];
  try {
    // As upstream has it: beside this flag nothing else is done.
    if (target !== '') {
      report(loaded.notices);
      writeFileSync(target, printYaml(documentOf(settings)));
    } else if (settings['--cleanup']) await cleanUp(loaded);
    else await serve(loaded, given);
  } catch (error) {
    fail(errorText(error));
  }
  exit(0);
}

/** Runs the proxy until a signal comes, or prepares the node with `--init-only`. */
async function serve(loaded: Loaded, given: GivenFlags): Promise<void> {
  const { settings } = loaded;
  const signal = stopSignal();
  const config = effective(settings, hostname());
  const path = settings['--config'];
  const configFile = path === '' ? undefined : { path, given, loaded };
  // Loaded here, so that `--help` and `--version` work without it, and a library that cannot be loaded is reported in one line.
  const { assemble, initialise } = await import('./assemble.ts');
  const options = { config, log, configFile };
  if (settings['--init-only']) {
    report(loaded.notices);
    await initialise(options);
    log.info('the node is prepared', { version });
    return;
  }
  const program = await assemble(options, signal);
  if (program === undefined) return;
  log.info('starting', { version, node: config.nodeName, objects: config.source.type });
  report(loaded.notices);
  await program.run(signal);
}

/** Deletes what a kube-proxy left. Ends the process with status 1 if something is left. */
async function cleanUp({ settings, notices }: Loaded): Promise<void> {
  report(notices);
  const { cleanUpNode } = await import('./open-kernel.ts');
  const config = effective(settings, hostname());
  if (!(await cleanUpNode({ config, log, progress: shownProgress() })))
    fail('not everything of kube-proxy could be removed');
  log.info('nothing of kube-proxy is left', { version });
}

/** A board whose work is shown: as a bar if standard error is a terminal, else by lines of the log. */
function shownProgress(): ProgressBoard {
  const board = new ProgressBoard();
  const clock = systemClock;
  if (!isatty(2)) logProgress(board, { clock, log });
  else
    drawProgress(board, { clock, line: statusLine, columns: () => process.stderr.columns || 80 });
  return board;
}

/** Loads flags and file. Ends the process if they or the command line are invalid. */
async function configurationOf(given: GivenFlags, errors: readonly string[] = []): Promise<Loaded> {
  try {
    return await loadConfiguration(given, { errors });
  } catch (error) {
    fail(errorText(error));
  }
}

function report(notices: readonly Notice[]): void {
  for (const { severity, message, details } of notices) log[severity](message, details);
}

/** Sets the format and verbosity of the log. */
function startLog(settings: Settings): void {
  const format: LogFormat = settings['logging.format'] === 'json' ? 'json' : 'text';
  const verbosity = settings['logging.verbosity'];
  if (format === 'text') log.setVerbosity(verbosity);
  else log = createLogger({ format, verbosity, write: statusLine.write });
}

/** Aborts at the first SIGTERM or SIGINT. The process ends at the second one, or when the parts take too long. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) fail(`${name} once more: not waiting`);
    log.info('stopping; the kernel keeps its state', { signal: name });
    setTimeout(() => {
      log.warn('not everything has ended in time');
      exit(0);
    }, stopPatience).unref();
    controller.abort();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  return controller.signal;
}

/** Logs in one line why the program cannot go on, and ends it. */
function fail(reason: string): never {
  exit(1, `kube-proxy: ${reason.replace(/\s*\n\s*/g, ' ')}`);
}

/** Ends the program after its last line is written. */
function exit(status: number, line?: string): never {
  log.end(line);
  process.exit(status);
}
