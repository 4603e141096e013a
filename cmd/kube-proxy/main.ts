import { hostname } from 'node:os';
import { flagOfField, helpText, readCommandLine } from '../../pkg/config/command-line.ts';
import { effective } from '../../pkg/config/effective.ts';
import type { Configuration } from '../../pkg/config/types.ts';
import { printViolation, type Violation, validate } from '../../pkg/config/validate.ts';
import { buildInfo, version } from '../../pkg/config/version.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import { createLogger } from '../../pkg/log/log.ts';
import { unsupportedRuntime } from './runtime.ts';

/** How long the parts may take to end, in milliseconds. The kernel is right whenever the program is cut off. */
const stopPatience = 900;

// The one way to standard error: whoever else writes there waits for its reader.
const log = createLogger({ format: 'text', verbosity: 0 });
const unsupported = unsupportedRuntime(process.versions.node);
if (unsupported !== undefined) fail(unsupported);
process.on('uncaughtException', (error) => fail(`unexpected error: ${errorText(error)}`));
process.on('unhandledRejection', (error) => fail(`unexpected error: ${errorText(error)}`));
process.removeAllListeners('warning');
process.on('warning', ({ name, message }) => log.warn('Node warns', { name, message }));

const command = readCommandLine(process.argv.slice(2));
switch (command.action) {
  case 'help':
    process.stdout.write(helpText());
    break;
  case 'version':
    process.stdout.write(
      `${command.isRaw ? JSON.stringify(buildInfo) : `Kubernetes ${version}`}\n`,
    );
    break;
  case 'refuse':
    fail(command.errors.join('; '));
    break;
  case 'run':
    await run(command.configuration);
    break;
}

/** Runs the proxy until a signal comes, and ends the process. */
async function run(configuration: Configuration): Promise<void> {
  const violations = validate(configuration);
  if (violations.length > 0) fail(violations.map(describe).join('; '));
  log.setVerbosity(configuration.logging.verbosity);
  const signal = stopSignal();
  try {
    const config = effective(configuration, hostname());
    // Loaded here: questions are answered without it, and a library that does not load is told in one line.
    const { assemble } = await import('./assemble.ts');
    const program = await assemble(config, log);
    const { nodeName, source, warnings } = config;
    log.info('starting', { version, node: nodeName, objects: source.type });
    for (const warning of warnings) log.warn(warning);
    await program.run(signal);
  } catch (error) {
    fail(errorText(error));
  }
  exit(0);
}

/** Aborts at the first SIGTERM or SIGINT; at the second one, and when patience ends, the process ends. */
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

/** A violation, and the flag that it came by. */
function describe(violation: Violation): string {
  const flag = flagOfField(violation.field);
  return `${flag === undefined ? '' : `${flag}: `}${printViolation(violation)}`;
}

/** Says in one line why the program cannot go on, and ends it. */
function fail(reason: string): never {
  exit(1, `kube-proxy: ${reason.replace(/\s*\n\s*/g, ' ')}`);
}

/** Ends the program, after its last words. */
function exit(status: number, line?: string): never {
  log.end(line);
  process.exit(status);
}
