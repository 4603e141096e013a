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
  'PreferSameTrafficDistribution',
]);

/** The stage of a gate in this release; '' if it is generally available. */
export interface GateState {
  readonly name: string;
  readonly stage: '' | 'ALPHA' | 'BETA' | 'DEPRECATED';
  readonly isOn: boolean;
}

/** A gate with its default. */
interface Gate extends GateState {
  /** Whether the program does as the gate says. The others stay as they are by default, whatever is given. */
  readonly isObeyed: boolean;
}

const staged: readonly Gate[] = [
  { name: 'AllowServiceExternalIPs', stage: 'DEPRECATED', isOn: true, isObeyed: true },
  { name: 'ComponentFlagz', stage: 'BETA', isOn: true, isObeyed: true },
  { name: 'ComponentStatusz', stage: 'BETA', isOn: true, isObeyed: true },
  { name: 'KubeProxyIPVS', stage: 'DEPRECATED', isOn: true, isObeyed: false },
  { name: 'MultiCIDRServiceAllocator', stage: '', isOn: true, isObeyed: false },
  { name: 'NativeHistograms', stage: 'ALPHA', isOn: false, isObeyed: false },
  { name: 'PreferSameTrafficDistribution', stage: '', isOn: true, isObeyed: false },
];

/** The gates whose stage is known, and whether what each is about is on. */
export function gateStates(gates: Readonly<Record<string, boolean>>): readonly GateState[] {
  return staged.map(({ name, stage, isOn, isObeyed }) => ({
    name,
    stage,
    isOn: isObeyed ? (gates[name] ?? isOn) : isOn,
  }));
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
    case 'NativeHistograms':
      return isOn
        ? ['NativeHistograms=true has no effect: histograms have their classic form only']
        : [];
    default:
      return known.has(name) ? [] : [`unknown feature gate ${name.slice(0, 80)} has no effect`];
  }
}
