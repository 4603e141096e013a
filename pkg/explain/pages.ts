import type { IpAddress } from '../ip/address.ts';
import { type Clock, seconds } from '../runner/clock.ts';
import { TokenBucket } from '../runner/token-bucket.ts';
import { ask } from './ask.ts';
import { ExplainError } from './explain-error.ts';
import type { DesiredSettings } from './ledger.ts';
import type { NameSource } from './names.ts';
import type { NodeSources } from './node-sources.ts';
import { printReport } from './print.ts';
import { parseQuestion, type Question } from './question.ts';

/** How many questions are answered at once, and then one after each interval. */
const burst = 5;
const interval = seconds(2);

/** The longest text of a parameter, in characters: that of a Service with the longest names. */
const longestText = 520;

/** More than this is refused: to work it out takes longer than an answer should, and much of that would hold the event loop. */
const limits = { realServers: 200, ruleText: 2 * 1024 * 1024 };

/** What questions are asked of. */
export interface ExplainPagesOptions {
  readonly clock: Clock;
  readonly names: NameSource;
  readonly settings: DesiredSettings;
  /** Opens the kernel for reading, for one question. */
  readonly open: () => Promise<{ readonly sources: NodeSources; readonly close: () => void }>;
  /** What the proxy says about an address. */
  readonly notes: (address: IpAddress) => Promise<readonly string[]>;
}

/** The answer to a request: an explanation, what is wrong with the question, or that too many were asked. */
export type ExplainAnswer =
  | { readonly format: Format; readonly body: string }
  | { readonly problem: string }
  | { readonly busyFor: number };

type Format = 'json' | 'text';

/**
 * Answers questions as `kube-proxy explain` does, from what the kernel holds at that moment and what the proxier wants. One at a time,
 * and no more often than some limits allow. Other work runs in between.
 */
export class ExplainPages {
  readonly #options: ExplainPagesOptions;
  readonly #bucket: TokenBucket;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ExplainPagesOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket({ clock: options.clock, burst, interval });
  }

  /** The answer to the question of some parameters. Throws KernelError. One whose signal has aborted meanwhile gets nothing. */
  async answer(parameters: URLSearchParams, signal: AbortSignal): Promise<ExplainAnswer> {
    const read = readParameters(parameters);
    if ('problem' in read) return read;
    if (!this.#bucket.take()) return { busyFor: interval };
    const { question, format } = read;
    const turn = this.#last.then(() => (signal.aborted ? '' : this.#explain(question, format)));
    this.#last = turn.catch(() => undefined);
    try {
      return { format, body: await turn };
    } catch (error) {
      if (error instanceof ExplainError) return { problem: error.message };
      throw error;
    }
  }

  async #explain(question: Question, format: Format): Promise<string> {
    const { names, settings, open, notes, clock } = this.#options;
    const { sources, close } = await open();
    try {
      const now = () => clock.now();
      const found = await ask(question, { sources, names, settings, limits, now });
      const report = { ...found, proxy: await notes(found.packet.destination) };
      return format === 'json'
        ? `${JSON.stringify(report, undefined, 2)}\n`
        : printReport(report, { isColoured: false });
    } finally {
      close();
    }
  }
}

const known = ['from', 'to', 'in', 'source-port', 'output'] as const;

/** Reads the parameters of a request. Those that are empty, as a form sends them, count as not given. */
function readParameters(
  given: URLSearchParams,
): { readonly question: Question; readonly format: Format } | { readonly problem: string } {
  const names: readonly string[] = known;
  const problems = [...new Set(given.keys())].flatMap((name) => {
    const [text = '', ...more] = given.getAll(name);
    if (!names.includes(name))
      return [
        `unknown parameter ${JSON.stringify(name.slice(0, 60))}: there are ${known.join(', ')}`,
      ];
    if (more.length > 0) return [`${name} is given ${more.length + 1} times`];
    return text.length > longestText ? [`${name} has more than ${longestText} characters`] : [];
  });
  const word = (name: (typeof known)[number]) => given.get(name)?.trim() || undefined;
  const {
    from,
    to,
    output = 'json',
  } = { from: word('from'), to: word('to'), output: word('output') };
  if (from === undefined) problems.push('from: who sends the packet is missing');
  if (to === undefined) problems.push('to: where the packet is sent to is missing');
  if (output !== 'json' && output !== 'text') problems.push('output: must be text or json');
  if (from === undefined || to === undefined || problems.length > 0)
    return { problem: problems.slice(0, 5).join('; ') };
  const words = { from, to, device: word('in'), sourcePort: word('source-port') };
  const question = parseQuestion(words, (option) => option);
  if ('problem' in question) return question;
  return { question: question.value, format: output === 'text' ? 'text' : 'json' };
}
