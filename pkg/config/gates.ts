/** Feature gates of the release that have nothing to do here, or whose default this program has too. */
const known: ReadonlySet<string> = new Set([
  'AllAlpha',
  'AllBeta',
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

/** What the operator should know of the feature gates that are set: a sentence each. */
export function gateWarnings(gates: Readonly<Record<string, boolean>>): readonly string[] {
  return Object.entries(gates).flatMap(([name, isOn]) => warningOf(name, isOn));
}

function warningOf(name: string, isOn: boolean): readonly string[] {
  switch (name) {
    case 'KubeProxyIPVS':
      return isOn ? [] : ['KubeProxyIPVS=false is ignored: this program has no other mode'];
    case 'AllowServiceExternalIPs':
      return isOn
        ? []
        : ['AllowServiceExternalIPs=false is not supported yet: external IPs work as before'];
    default:
      return known.has(name) ? [] : [`unknown feature gate ${name.slice(0, 80)} has no effect`];
  }
}
