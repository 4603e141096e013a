import { oneOf } from '../checks.ts';
import { field } from '../field.ts';
import { text } from '../value-types.ts';

const group = "Telling the node's own pods";

/** The ways to recognise the node's own pods; empty means the first. */
const detectLocalModes = ['ClusterCIDR', 'NodeCIDR', 'BridgeInterface', 'InterfaceNamePrefix'];

/** How traffic of the node's own pods is recognised. `pkg/config/validate.ts` checks the options of one mode together. */
export const localTrafficFields = {
  detectLocalMode: field(text, {
    flag: 'detect-local-mode',
    group,
    help: 'ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix. Empty means ClusterCIDR.',
    check: oneOf(detectLocalModes),
  }),
  clusterCIDR: field(text, {
    flag: 'cluster-cidr',
    group,
    help: 'Network of the pods, or one of each family with a comma; for ClusterCIDR.',
  }),
  'detectLocal.bridgeInterface': field(text, {
    flag: 'pod-bridge-interface',
    group,
    help: 'Bridge that the pods are attached to; for BridgeInterface.',
  }),
  'detectLocal.interfaceNamePrefix': field(text, {
    flag: 'pod-interface-name-prefix',
    group,
    help: "How the names of the pods' interfaces begin; for InterfaceNamePrefix.",
  }),
};
