import { hostname } from 'node:os';
import { readSubcommandLine, type SubcommandLine } from '../../pkg/config/command-line.ts';
import { effective } from '../../pkg/config/effective.ts';
import { load } from '../../pkg/config/load.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { printViolation } from '../../pkg/config/validate.ts';
import { ask } from '../../pkg/explain/ask.ts';
import type { DesiredSettings } from '../../pkg/explain/desired.ts';
import { ExplainError } from '../../pkg/explain/explain-error.ts';
import type { NodeSources } from '../../pkg/explain/node-sources.ts';
import { printReport } from '../../pkg/explain/print.ts';
import { parseFrom, parsePort, parseTo, type Question } from '../../pkg/explain/question.ts';
import type { Report } from '../../pkg/explain/report.ts';
import { families } from '../../pkg/ip/address.ts';
import { parseServiceAnnotations } from '../../pkg/kube/annotations.ts';
import type { Service } from '../../pkg/kube/types.ts';
import type { Logger } from '../../pkg/log/log.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import { readConfigText } from './config-file.ts';
import { explainHelp } from './explain-help.ts';
import { openNames } from './explain-names.ts';
import { proxierSettings } from './proxier-settings.ts';

/** What a subcommand needs of the process. */
export interface SubcommandOptions {
  readonly argv: readonly string[];
  readonly log: Logger;
  readonly stdout: { readonly isTTY?: boolean; write(text: string): unknown };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Opens the kernel; that of the machine unless a test says otherwise. */
  readonly open?: () => Promise<{ readonly sources: NodeSources; readonly close: () => void }>;
}

const flags = [
  { name: 'output', shorthand: 'o', standsAlone: false },
  { name: 'in', standsAlone: false },
  { name: 'source-port', standsAlone: false },
];

const statuses: Readonly<Record<Report['answer'], number>> = {
  yes: 0,
  'in part': 1,
  no: 1,
  unknown: 2,
};

/** `kube-proxy explain`: prints what becomes of a packet, and returns the status of the process. Throws what cannot be answered. */
export async function explain(options: SubcommandOptions): Promise<number> {
  const { argv, log, stdout, env, open = openKernelReader } = options;
  const line = readSubcommandLine(argv, flags);
  if (line.program.action === 'help') {
    stdout.write(explainHelp);
    return 0;
  }
  const { question, isJson } = questionOf(line);
  const config = await configOf(line);
  const { names, close: closeNames } = await openNames(config, { log, env });
  const { sources, close } = await open();
  try {
    const settings = settingsOf(config);
    const report = await ask(question, { sources, names, settings, now: () => systemClock.now() });
    const isColoured = stdout.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
    stdout.write(
      isJson ? `${JSON.stringify(report, undefined, 2)}\n` : printReport(report, { isColoured }),
    );
    return statuses[report.answer];
  } finally {
    close();
    closeNames();
  }
}

async function openKernelReader() {
  const { openReader } = await import('./open-reader.ts');
  return openReader();
}

function questionOf({ flags: given, positionals }: SubcommandLine): {
  readonly question: Question;
  readonly isJson: boolean;
} {
  const [fromText, toText, ...more] = positionals;
  if (fromText === undefined || toText === undefined || more.length > 0)
    throw new ExplainError(
      `explain takes FROM and TO, not ${positionals.length} arguments (--help)`,
    );
  const from = parseFrom(fromText);
  const to = parseTo(toText);
  const portText = given.get('source-port');
  const sourcePort = portText === undefined ? undefined : parsePort(portText);
  const output = given.get('output') ?? 'text';
  const device = given.get('in');
  const problems = [
    ...('problem' in from ? [from.problem] : []),
    ...('problem' in to ? [to.problem] : []),
    ...(given.has('source-port') && sourcePort === undefined
      ? [`--source-port: ${JSON.stringify(portText ?? '')} is no port`]
      : []),
    ...(given.has('in') && !/^[^\s/]{1,15}$/.test(device ?? '')
      ? ['--in: is no name of a device']
      : []),
    ...(output === 'text' || output === 'json' ? [] : ['--output: must be text or json']),
  ];
  if ('problem' in from || 'problem' in to || problems.length > 0)
    throw new ExplainError(problems.join('; '));
  return {
    question: { from: from.value, to: to.value, device, sourcePort },
    isJson: output === 'json',
  };
}

/** The configuration of the proxy whose state is compared. */
async function configOf({ program }: SubcommandLine): Promise<ProxyConfig> {
  if (program.action === 'refuse') throw new ExplainError(program.errors.join('; '));
  if (program.action !== 'run') throw new ExplainError('explain has no such flag (--help)');
  const path = program.given.values['--config'] ?? '';
  const loaded = load(program.given, path === '' ? undefined : await readConfigText(path));
  if (loaded.violations.length > 0)
    throw new ExplainError(loaded.violations.map(printViolation).join('; '));
  return effective(loaded.settings, hostname());
}

function settingsOf(config: ProxyConfig): DesiredSettings {
  const judgedBy = { scheduler: config.scheduler, hasScheduler: () => true };
  const serviceOptionsOf = config.serviceAnnotations
    ? (service: Service) => parseServiceAnnotations(service.annotations, judgedBy)
    : undefined;
  return { ...proxierSettings(config, families), serviceOptionsOf };
}
