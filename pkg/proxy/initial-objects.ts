import { prefixFamily, printPrefix } from '../ip/prefix.ts';
import { minutes, seconds, sleep } from '../runner/clock.ts';
import type { MutexToken } from '../runner/mutex.ts';
import type { RuleWriter } from './apply/rule-writer.ts';
import type { Intake } from './changes/intake.ts';
import type { NodeAddresses } from './changes/node-addresses.ts';
import type { Store } from './changes/store.ts';
import type { ProxierOptions } from './options.ts';
import type { Parts } from './parts.ts';
import { readAddresses } from './reading.ts';

/** How long to wait for the Node, and for its pod networks if the rules need them, in milliseconds. */
const nodePatience = seconds(30);
const podNetworkPatience = minutes(5);

/** What is waited for, and checked afterwards. */
export interface InitialSources {
  readonly intake: Intake;
  readonly store: Pick<Store, 'node'>;
  readonly rules: Pick<RuleWriter, 'isReady' | 'hasDetector'>;
  readonly nodeAddresses: Pick<NodeAddresses, 'requirePrimaryFamily' | 'primaryFamily'>;
}

type InitialOptions = Pick<
  ProxierOptions,
  'clock' | 'log' | 'nodeName' | 'nodeIPPatience' | 'ruleSettings'
>;

/**
 * Waits for the Services and slices, then for a bounded time for the Node and its addresses. Goes on without a Node. Throws if the
 * rules need the Node's pod networks and it has none of the primary family in time, or if the primary family is not served.
 */
export async function waitForObjects(
  { intake, store, rules, nodeAddresses }: InitialSources,
  options: InitialOptions & { signal: AbortSignal },
): Promise<void> {
  const { clock, log, nodeName, nodeIPPatience, signal } = options;
  await intake.until(() => intake.hasSynced('Service', 'EndpointSlice'), { signal });
  const hasNode = () => intake.hasSynced('Node');
  const hasRules = () => rules.isReady;
  if (!(await intake.until(hasNode, { signal, patience: nodePatience })))
    log.error('the Node was not read in time, going on without it', undefined, { node: nodeName });
  // A cloud's controller may write them after the Node was created.
  const hasNodeIPs = () => store.node?.addresses.length !== 0;
  const isKnown =
    nodeIPPatience === 0 || (await intake.until(hasNodeIPs, { signal, patience: nodeIPPatience }));
  if (!isKnown)
    log.error('the Node has no IP address after the wait for it, going on without', undefined, {
      node: nodeName,
      seconds: nodeIPPatience / 1000,
    });
  if (!(await intake.until(hasRules, { signal, patience: podNetworkPatience }))) {
    throw new Error(
      `node ${nodeName} has no spec.podCIDRs after ${podNetworkPatience / 1000} s, and detect-local-mode NodeCIDR needs them`,
    );
  }
  if (!signal.aborted) {
    nodeAddresses.requirePrimaryFamily();
    checkPodNetworks({ store, rules, nodeAddresses }, options);
  }
  await sleep(clock, 0, signal);
}

/**
 * Logs that pods are not recognised in the primary family, and pod networks of the Node that are all of the other one. Throws if pods are
 * recognised by those.
 */
function checkPodNetworks(
  {
    store,
    rules,
    nodeAddresses: { primaryFamily },
  }: Pick<InitialSources, 'store' | 'rules' | 'nodeAddresses'>,
  { log, nodeName, ruleSettings }: InitialOptions,
): void {
  const { detectLocal } = ruleSettings;
  const podCIDRs = store.node?.podCIDRs ?? [];
  const list = podCIDRs.map(printPrefix).join(', ');
  if (podCIDRs.length > 0 && !podCIDRs.some((one) => prefixFamily(one) === primaryFamily)) {
    if (detectLocal.mode === 'NodeCIDR')
      throw new Error(
        `node ${nodeName} has no spec.podCIDRs of the primary IP family ${primaryFamily}, only ${list}, and detect-local-mode NodeCIDR needs one`,
      );
    log.warn('the Node has no pod network of the primary IP family', {
      primaryFamily,
      podCIDRs: list,
    });
  }
  if (detectLocal.mode === 'ClusterCIDR' && !rules.hasDetector(primaryFamily))
    log.info(
      'detect-local-mode is ClusterCIDR, and clusterCIDR has no network of the primary IP family',
      {
        primaryFamily,
        clusterCIDR: detectLocal.networks.map(printPrefix).join(', '),
      },
    );
}

/** Reads the node's addresses, if they can be read. Throws if a range of VIPs that was configured overlaps a network of this node or of pods. */
export async function requireRanges(
  parts: Pick<Parts, 'auditContext' | 'vipMoves' | 'vipRoutes'>,
  { vipBinding, log, token }: Pick<ProxierOptions, 'vipBinding' | 'log'> & { token: MutexToken },
): Promise<void> {
  const { vipRoutes } = parts;
  if (!vipRoutes.areUsed || vipBinding.ranges.length === 0) return;
  try {
    await readAddresses(parts, token);
  } catch (error) {
    // The first sync reads them again, and leaves out ranges that cannot be used.
    log.error('could not read addresses', error);
  }
  const [problem] = vipRoutes.problems;
  if (problem !== undefined)
    throw new Error(`ipvs.serviceClusterIPRange: Invalid value: "${problem[0]}": ${problem[1]}`);
}
