import { hostname } from 'node:os';
import { readSubcommandLine } from '../../pkg/config/command-line.ts';
import { effective } from '../../pkg/config/effective.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { parseServiceAnnotations } from '../../pkg/kube/annotations.ts';
import type { Service } from '../../pkg/kube/types.ts';
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
import { loadConfiguration } from './load-configuration.ts';
import { logReadings } from './log-readings.ts';
import { openObjects } from './object-source.ts';
import { openNode } from './open-node.ts';
import { proxierSettings } from './proxier-settings.ts';
import { servedFamilies } from './served-families.ts';
import type { RunSubcommand } from './subcommand.ts';

/** What `kube-proxy plan --help` prints. */
export const planHelp = `Shows what a start of kube-proxy would change on this node. Nothing is written, and no kernel module is loaded.

Usage:
  kube-proxy plan [-o text|wide|json] [--wait 60s] [the flags of the start]

  -o, --output   text: sums by Service (the default); wide: every operation, rule and flow; json
  --wait         How long the API and the node may take (default 60s)

Examples:
  kube-proxy plan --config=/var/lib/kube-proxy/config.conf
  kube-proxy plan --kubeconfig=/etc/kubernetes/kubelet.conf --hostname-override=worker-1 -o wide

Exit status:
  0  the start would change nothing
  1  it could not be found out
  2  the start would change what is shown
`;

const flags = [
  { name: 'output', shorthand: 'o', standsAlone: false },
  { name: 'wait', standsAlone: false },
];

const outputs = ['text', 'wide', 'json'] as const;

/** Runs `kube-proxy plan`. Returns its exit status. Throws what keeps it from an answer. */
export const runPlan: RunSubcommand = async (argv, { log, print }) => {
  const { flags: given, positionals, program: command } = readSubcommandLine(argv, flags);
  const output = outputs.find((name) => name === (given.get('output') ?? 'text'));
  if (output === undefined)
    throw new Error(`--output: must be one of ${outputs.join(', ')}: ${given.get('output')}`);
  const wait = parseDuration(given.get('wait') ?? '60s');
  if (wait === undefined || wait <= 0)
    throw new Error(`--wait: must be a positive duration: ${given.get('wait')}`);
  const [unexpected] = positionals;
  if (unexpected !== undefined)
    throw new Error(`unexpected argument ${JSON.stringify(unexpected)}`);
  if (command.action === 'help') {
    await print(planHelp);
    return 0;
  }
  if (command.action === 'version') throw new Error('plan has no --version');
  const { settings } = await loadConfiguration(
    command.given,
    command.action === 'refuse' ? command.errors : [],
  );
  const found = await previewNode(effective(settings, hostname()), { log, wait });
  await print(
    output === 'json'
      ? `${JSON.stringify(previewJson(found), undefined, 2)}\n`
      : printPreview(found, { isWhole: output === 'wide' }),
  );
  return isNothingToDo(found) ? 0 : 2;
};

async function previewNode(
  config: ProxyConfig,
  { log: programLog, wait }: { log: ProgramLog; wait: number },
): Promise<NodePreview> {
  const clock = systemClock;
  const log = onlyProblems(programLog);
  const metrics = createMetrics(logReadings(programLog));
  const opened = openNode({ config, log });
  const { node, settings, modules } = opened;
  const objects = await openObjects({ config, log, clock, metrics });
  const stop = new AbortController();
  const cancel = clock.after(wait, () =>
    stop.abort(new Error(`not everything was read within ${wait / 1000} s (--wait)`)),
  );
  try {
    const families = await servedFamilies({ config, log }, node.firewall);
    const found = await preview({
      node,
      source: objects.source,
      settings: { ...proxierSettings(config, families), nodeIPPatience: 0 },
      serviceOptionsOf: config.serviceAnnotations ? annotationsOf(config) : undefined,
      clock,
      log,
      signal: stop.signal,
    });
    return { ...found, node: config.nodeName, settings, modules };
  } finally {
    cancel();
    objects.close();
    opened.close();
  }
}

/** Schedulers are not probed, as that writes: the kernel is believed to have those that Services ask for. */
function annotationsOf({ scheduler }: ProxyConfig) {
  const judgedBy = { scheduler, hasScheduler: () => true };
  return ({ annotations }: Service) => parseServiceAnnotations(annotations, judgedBy);
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
