import type { Logger } from '../log/log.ts';
import { type Clock, minutes, seconds, sleep } from '../runner/clock.ts';
import type { RuleWriter } from './apply/rule-writer.ts';
import type { Intake } from './changes/intake.ts';

/** How long to wait for the Node, and for its pod networks where the rules need them. */
const nodePatience = seconds(30);
const podNetworkPatience = minutes(5);

/**
 * Waits until the Services and slices are known, and, for a while, the Node. Throws if the Node has no pod networks in time and the
 * rules need them.
 */
export async function waitForObjects(
  { intake, rules }: { intake: Intake; rules: Pick<RuleWriter, 'isReady'> },
  options: { clock: Clock; log: Logger; nodeName: string; signal: AbortSignal },
): Promise<void> {
  const { clock, log, nodeName, signal } = options;
  await intake.until(() => intake.hasSynced('Service', 'EndpointSlice'), { signal });
  const hasNode = () => intake.hasSynced('Node');
  const hasRules = () => rules.isReady;
  if (!(await intake.until(hasNode, { signal, patience: nodePatience })))
    log.error('the Node was not told in time, going on without', undefined, { node: nodeName });
  if (!(await intake.until(hasRules, { signal, patience: podNetworkPatience }))) {
    throw new Error(
      `node ${nodeName} has no spec.podCIDRs after ${podNetworkPatience / 1000} s, and detect-local-mode NodeCIDR needs them`,
    );
  }
  await sleep(clock, 0, signal);
}
