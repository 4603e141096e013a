import { readSubcommandLine, type SubcommandLine } from '../../pkg/config/command-line.ts';
import { ask } from '../../pkg/explain/ask.ts';
import { ExplainError } from '../../pkg/explain/explain-error.ts';
import type { NodeSources } from '../../pkg/explain/node-sources.ts';
import { printReport } from '../../pkg/explain/print.ts';
import { parseQuestion, type Question } from '../../pkg/explain/question.ts';
import type { Report } from '../../pkg/explain/report.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import { wantsColours } from '../../pkg/terminal/terminal.ts';
import { desiredSettings } from './desired-settings.ts';
import { explainHelp } from './explain-help.ts';
import { openNames } from './explain-names.ts';
import { chooseNode, fromDumpFlag } from './from-dump.ts';
import { proxyNotes } from './proxy-notes.ts';
import type { RunSubcommand } from './subcommand.ts';

/** What the command needs of the process and the machine. */
export interface ExplainOptions {
  /** Whether standard output is a terminal. */
  readonly isTerminal?: boolean;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Opens the kernel; that of the machine unless a test says otherwise. */
  readonly open?: () => Promise<{ readonly sources: NodeSources; readonly close: () => void }>;
  /** Asks the running proxy of this node about an address. */
  readonly askProxy?: typeof proxyNotes;
}

const flags = [
  { name: 'output', shorthand: 'o', standsAlone: false },
  { name: 'in', standsAlone: false },
  { name: 'source-port', standsAlone: false },
  fromDumpFlag,
];

/** The status 1 is that of every error. */
const statuses: Readonly<Record<Report['answer'], number>> = {
  yes: 0,
  'in part': 2,
  no: 2,
  unknown: 3,
};

/** `kube-proxy explain`: prints what becomes of a packet. Throws what cannot be answered. */
export const explain: RunSubcommand = explainWith({});

/** The command in another environment than that of the process. */
export function explainWith({
  isTerminal = process.stdout.isTTY,
  env = process.env,
  open = openKernelReader,
  askProxy = proxyNotes,
}: ExplainOptions): RunSubcommand {
  return async (argv, { log, print }) => {
    const line = readSubcommandLine(argv, flags);
    if (line.program.action === 'help') {
      await print(explainHelp);
      return 0;
    }
    const { question, isJson } = questionOf(line);
    const { config, dumped } = await chooseNode(line, 'explain');
    const { names, close: closeNames } = await openNames(config, { log, env });
    const { sources, close } = dumped?.reader ?? (await open());
    try {
      const settings = desiredSettings(config);
      const found = await ask(question, {
        sources,
        names,
        settings,
        now: () => systemClock.now(),
      });
      // What a dump is of runs elsewhere.
      const notes =
        dumped === undefined ? await askProxy(config, found.packet.destination) : undefined;
      const report = { ...found, proxy: notes ?? null };
      const isColoured = wantsColours({ isTerminal, env });
      const json = () => `${JSON.stringify(report, undefined, 2)}\n`;
      await print(isJson ? json() : printReport(report, { isColoured }));
      return statuses[report.answer];
    } finally {
      close();
      closeNames();
    }
  };
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
  const output = given.get('output') ?? 'text';
  const words = {
    from: fromText,
    to: toText,
    device: given.has('in') ? (given.get('in') ?? '') : undefined,
    sourcePort: given.has('source-port') ? (given.get('source-port') ?? '') : undefined,
  };
  const question = parseQuestion(words, (option) => `--${option}`);
  const problems = [
    ...('problem' in question ? [question.problem] : []),
    ...(output === 'text' || output === 'json' ? [] : ['--output: must be text or json']),
  ];
  if ('problem' in question || problems.length > 0) throw new ExplainError(problems.join('; '));
  return { question: question.value, isJson: output === 'json' };
}
