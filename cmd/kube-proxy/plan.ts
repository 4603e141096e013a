import { readSubcommandLine, type SubcommandLine } from '../../pkg/config/command-line.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import type { Logger, ProgramLog } from '../../pkg/log/log.ts';
import { createMetrics } from '../../pkg/metrics/metrics.ts';
import { preview } from '../../pkg/preview/preview.ts';
import {
  isNothingToDo,
  type NodePreview,
  previewJson,
  printPreview,
} from '../../pkg/preview/print.ts';
import { systemClock } from '../../pkg/runner/clock.ts';
import { parseDuration } from '../../pkg/runner/duration.ts';
import { ProgressBoard } from '../../pkg/runner/progress.ts';
import { wantsColours } from '../../pkg/terminal/terminal.ts';
import { familyNotices } from './family-notices.ts';
import { chooseNode, fromDumpFlag } from './from-dump.ts';
import { logReadings } from './log-readings.ts';
import { openObjects } from './object-source.ts';
import { openDumpedNode, openNode } from './open-node.ts';
import { proxierSettings } from './proxier-settings.ts';
import { servedFamilies } from './served-families.ts';
import { assumeScheduler, serviceOptionsReader } from './service-options.ts';
import { readServiceRanges, usableRanges, wantsServiceRanges } from './service-ranges.ts';
import type { RunSubcommand } from './subcommand.ts';

/** What `kube-proxy plan --help` prints. */
export const planHelp = `Shows what a start of kube-proxy would change on this node. Nothing is written, and no kernel module is loaded.

Usage:
  kube-proxy plan [-o text|wide|json] [--wait 60s] [--from-dump FILE] [the flags of the start]

  -o, --output   text: sums by Service (the default); wide: every operation, rule and flow; json
  --wait         How long the API and the node may take (default 60s)
  --from-dump    The node of a dump (kube-proxy dump) in place of this one, with its objects. Without
                 --config, its configuration counts, and of the flags those that count beside a file

Examples:
  kube-proxy plan --config=/var/lib/kube-proxy/config.conf
  kube-proxy plan --kubeconfig=/etc/kubernetes/kubelet.conf --hostname-override=worker-1 -o wide
  kube-proxy plan --from-dump=node.json

Exit status:
  0  the start would change nothing
  1  it could not be found out
  2  the start would change what is shown
`;

const flags = [
  { name: 'output', shorthand: 'o', standsAlone: false },
  { name: 'wait', standsAlone: false },
  fromDumpFlag,
];

const outputs = ['text', 'wide', 'json'] as const;

/** What the command reads; the machine and the configured source of objects unless a test says otherwise. */
export interface PlanOptions {
  readonly open?: typeof openNode;
  readonly objectsOf?: typeof openObjects;
  /** Whether standard output is a terminal. */
  readonly isTerminal?: boolean;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** `kube-proxy plan`: prints what a start would change. Throws what keeps it from an answer. */
export const plan: RunSubcommand = planWith({});

/** The command on another node than this machine. */
export function planWith({
  open = openNode,
  objectsOf = openObjects,
  isTerminal = process.stdout.isTTY,
  env = process.env,
}: PlanOptions): RunSubcommand {
  return async (argv, { log, print, progress = new ProgressBoard() }) => {
    const line = readSubcommandLine(argv, flags);
    const { output, wait } = optionsOf(line);
    const { program } = line;
    if (program.action === 'help') {
      await print(planHelp);
      return 0;
    }
    if (program.action === 'version') throw new Error('plan has no --version');
    const { config, dumped } = await chooseNode(line, 'plan');
    const found = await previewNode(config, {
      log,
      wait,
      open: dumped === undefined ? open : (options) => openDumpedNode(dumped, options),
      objectsOf,
      hasIPv6: dumped === undefined ? undefined : true,
      progress,
    });
    const isColoured = wantsColours({ isTerminal, env });
    await print(
      output === 'json'
        ? `${JSON.stringify(previewJson(found), undefined, 2)}\n`
        : printPreview(found, { isWhole: output === 'wide', isColoured }),
    );
    return isNothingToDo(found) ? 0 : 2;
  };
}

/** The options of the command itself. Throws if one is invalid. `wait` is in milliseconds. */
function optionsOf({ flags: given, positionals: [unexpected] }: SubcommandLine) {
  const output = outputs.find((name) => name === (given.get('output') ?? 'text'));
  if (output === undefined)
    throw new Error(`--output: must be one of ${outputs.join(', ')}: ${given.get('output')}`);
  const wait = parseDuration(given.get('wait') ?? '60s');
  if (wait === undefined || wait <= 0)
    throw new Error(`--wait: must be a positive duration: ${given.get('wait')}`);
  if (unexpected !== undefined)
    throw new Error(`unexpected argument ${JSON.stringify(unexpected)}`);
  return { output, wait };
}

async function previewNode(
  config: ProxyConfig,
  {
    log: programLog,
    wait,
    open,
    objectsOf,
    hasIPv6,
    progress,
  }: {
    readonly log: ProgramLog;
    readonly wait: number;
    readonly open: typeof openNode;
    readonly objectsOf: typeof openObjects;
    readonly hasIPv6: boolean | undefined;
    readonly progress: ProgressBoard;
  },
): Promise<NodePreview> {
  const clock = systemClock;
  const log = onlyProblems(programLog);
  const metrics = createMetrics(logReadings(programLog));
  const objects = await objectsOf({ config, log, clock, metrics, progress });
  const { node, settings, modules, close } = open({ config, log });
  const stop = new AbortController();
  const cancel = clock.after(wait, () =>
    stop.abort(new Error(`not everything was read within ${wait / 1000} s (--wait)`)),
  );
  try {
    const families = await servedFamilies({ config, log, hasIPv6 }, node.firewall);
    for (const { severity, message, details } of familyNotices(config, families))
      log[severity](message, details);
    const { serviceRanges } = objects;
    const ranges = await readServiceRanges(config, { serviceRanges, wait });
    const found = await preview({
      node,
      source: objects.source,
      // A start waits for addresses of a Node that has none; what it does then is the same.
      settings: { ...proxierSettings(config, families), nodeIPPatience: 0 },
      serviceRanges: wantsServiceRanges(config) ? usableRanges(ranges, log) : undefined,
      serviceOptionsOf: serviceOptionsReader(config, assumeScheduler),
      clock,
      log,
      progress,
      signal: stop.signal,
    });
    return { ...found, node: config.nodeName, settings, modules };
  } finally {
    cancel();
    close();
    objects.close();
  }
}

/** A log without the lines about normal operation, which a start would have. */
function onlyProblems(log: Logger): Logger {
  return {
    v: () => undefined,
    info: () => undefined,
    warn: (message, fields) => log.warn(message, fields),
    error: (message, error, fields) => log.error(message, error, fields),
    with: (fields) => onlyProblems(log.with(fields)),
  };
}
