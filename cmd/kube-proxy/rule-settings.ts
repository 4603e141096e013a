import type { ProxyConfig } from '../../pkg/config/types.ts';
import type { RuleSettings } from '../../pkg/proxy/apply/rule-source.ts';

/** The rules' settings from the configuration. */
export function ruleSettings(config: ProxyConfig): RuleSettings {
  return {
    masqueradeMark: 2 ** config.masqueradeBit,
    masqueradeAll: config.masqueradeAll,
    detectLocal: detectLocal(config.detectLocal),
  };
}

function detectLocal(configured: ProxyConfig['detectLocal']): RuleSettings['detectLocal'] {
  switch (configured.mode) {
    case 'ClusterCIDR':
      return { mode: 'ClusterCIDR', networks: configured.cidrs };
    case 'NodeCIDR':
      return { mode: 'NodeCIDR' };
    case 'BridgeInterface':
      return { mode: 'interface', name: configured.interfaceName };
    case 'InterfaceNamePrefix':
      return { mode: 'interface', name: `${configured.prefix}+` };
  }
}
