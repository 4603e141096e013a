import type { Flavour } from '../../../pkg/firewall/iptables.ts';
import type { Namespace } from '../namespace.ts';

/** Makes the chain of kubelet by which others find the flavour of iptables that it uses. */
export function addKubeletHint(namespace: Namespace, flavour: Flavour): void {
  for (const program of ['iptables', 'ip6tables'])
    namespace.run(`${program}-${flavour}`, '-t', 'mangle', '-N', 'KUBE-IPTABLES-HINT');
}
