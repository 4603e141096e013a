import { chainId, clusterNetworks } from '../../support/modes/mode-service.ts';
import { baseChains, elements } from '../../support/modes/nftables-mode.ts';
import { type ClusterPort, ports } from './cluster.ts';

// What upstream's nftables mode gives to `nft -f -`: a table at the start, afterwards only what changed.

const front = 'ipv4_addr . inet_proto . inet_service : verdict';

/** The whole table. */
export function tableInput(all: readonly ClusterPort[]): string {
  return `table ip kube-proxy {
  set cluster-ips { type ipv4_addr; ${elements(all.map(({ vip }) => vip))} }
  set nodeport-ips { type ipv4_addr; }
  map service-ips { type ${front}; ${elements(all.map(element))} }
  map service-nodeports { type inet_proto . inet_service : verdict; }
  map no-endpoint-services { type ${front}; }
  map no-endpoint-nodeports { type inet_proto . inet_service : verdict; }
  map firewall-ips { type ${front}; }
${baseChains('IPv4')}
${all.flatMap(chains).join('\n')}
}
`;
}

/** Adds a Service to the table. */
export function addedInput(port: ClusterPort): string {
  return `table ip kube-proxy {
${chains(port).join('\n')}
}
add element ip kube-proxy cluster-ips { ${port.vip} }
add element ip kube-proxy service-ips { ${element(port)} }
`;
}

/** Puts other endpoints into a Service that is there. Chains of endpoints that went stay: upstream takes them away later. */
export function changedInput(port: ClusterPort, before: ClusterPort): string {
  const isNew = (address: string) => !before.endpoints.includes(address);
  const name = serviceChain(port);
  return `${port.endpoints
    .filter(isNew)
    .map((address) => `table ip kube-proxy {\n${endpointLine(port, address)}\n}\n`)
    .join('')}flush chain ip kube-proxy ${name}
table ip kube-proxy {
${serviceLine(port)}
}
`;
}

function chains(port: ClusterPort): readonly string[] {
  return [...port.endpoints.map((address) => endpointLine(port, address)), serviceLine(port)];
}

function endpointLine(port: ClusterPort, address: string): string {
  return `  chain ${endpointChain(port, address)} { ip saddr ${address} jump mark-for-masquerade; meta l4proto tcp dnat to ${address}:${ports.pod}; }`;
}

function serviceLine(port: ClusterPort): string {
  const { vip, endpoints } = port;
  const choices = endpoints.map((address, at) => `${at} : goto ${endpointChain(port, address)}`);
  return `  chain ${serviceChain(port)} { ip daddr ${vip} tcp dport ${ports.service} ip saddr != ${clusterNetworks.IPv4} jump mark-for-masquerade; numgen random mod ${endpoints.length} vmap { ${choices.join(', ')} }; }`;
}

function element(port: ClusterPort): string {
  return `${port.vip} . tcp . ${ports.service} : goto ${serviceChain(port)}`;
}

function serviceChain(port: ClusterPort): string {
  return `service-${nameOf(port)}`;
}

function endpointChain(port: ClusterPort, address: string): string {
  return `endpoint-${nameOf(port)}__${address}/${ports.pod}`;
}

function nameOf({ name }: ClusterPort): string {
  return `${chainId(name).slice(0, 8)}-${name.replace(':', '/tcp/')}`;
}
