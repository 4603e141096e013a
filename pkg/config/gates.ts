/** Feature gates of the release that need no warning: they have no effect here, their default is this program's behaviour, or they are obeyed. */
const known: ReadonlySet<string> = new Set([
  'AllAlpha',
  'AllBeta',
  'AllowServiceExternalIPs',
  'ComponentFlagz',
  'ComponentStatusz',
  'ContextualLogging',
  'KubeProxyNFTablesLocalhostNodePorts',
  'LoggingAlphaOptions',
  'LoggingBetaOptions',
  'ManagedFieldsOptOut',
  'MultiCIDRServiceAllocator',
  'NFTablesNetlink',
  'NativeHistograms',
  'PreferSameTrafficDistribution',
]);

/** The stage of a gate in this release; '' if it is generally available. */
export interface GateState {
  readonly name: string;
  readonly stage: '' | 'ALPHA' | 'BETA';
  readonly isOn: boolean;
}

const stages: readonly GateState[] = [
  { name: 'ComponentFlagz', stage: 'BETA', isOn: true },
  { name: 'ComponentStatusz', stage: 'BETA', isOn: true },
  { name: 'MultiCIDRServiceAllocator', stage: '', isOn: true },
  { name: 'NativeHistograms', stage: 'ALPHA', isOn: false },
  { name: 'PreferSameTrafficDistribution', stage: '', isOn: true },
];

/** The gates whose stage is known, and whether each is on. */
export function gateStates(gates: Readonly<Record<string, boolean>>): readonly GateState[] {
  return stages.map(({ name, stage, isOn }) => ({ name, stage, isOn: gates[name] ?? isOn }));
}

/** Whether `spec.externalIPs` are served: unless the gate turns them off, whatever the release's default will be. */
export function servesExternalIPs(gates: Readonly<Record<string, boolean>>): boolean {
  return gates['AllowServiceExternalIPs'] ?? true;
}

/** Whether `/statusz` and `/flagz` are served: in this release unless the gates turn them off. */
export function servedPages(gates: Readonly<Record<string, boolean>>): {
  readonly statusz: boolean;
  readonly flagz: boolean;
} {
  return { statusz: gates['ComponentStatusz'] ?? true, flagz: gates['ComponentFlagz'] ?? true };
}

/** Warnings about the feature gates that are set, a sentence each. */
export function gateWarnings(gates: Readonly<Record<string, boolean>>): readonly string[] {
  return Object.entries(gates).flatMap(([name, isOn]) => warningOf(name, isOn));
}

function warningOf(name: string, isOn: boolean): readonly string[] {
  switch (name) {
    case 'KubeProxyIPVS':
      return isOn ? [] : ['KubeProxyIPVS=false is ignored: this program has no other mode'];
    default:
      return known.has(name) ? [] : [`unknown feature gate ${name.slice(0, 80)} has no effect`];
  }
}
