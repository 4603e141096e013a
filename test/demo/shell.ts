import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Report } from './report.ts';
import { vip } from './requests.ts';
import type { Stage } from './stage.ts';

/** A shell on the node, with everything running, until it is left. */
export async function keepShell(stage: Stage, report: Report): Promise<void> {
  const address = vip(stage, 'shop/catalog');
  const pod = stage.pod('cart').name;
  report.section('A shell on the node; everything runs until you leave it');
  for (const [command, why] of [
    ['kubectl get svc,endpointslices -A', 'what there is'],
    ['ipvsadm -Ln', 'what the kernel makes of it (-Lnc: its connections)'],
    [`curl ${address}`, 'catalog, from the node'],
    [
      `on ${pod} curl ${address}`,
      'the same from a pod; "on outside …": from the client outside; "pods" lists them',
    ],
    ['ipset list KUBE-CLUSTER-IP; iptables-save -t nat; ip addr show kube-ipvs0', 'the rest of it'],
    [
      'curl -s localhost:10249/metrics | grep sync_proxy',
      'its metrics; localhost:10256/healthz: its health',
    ],
    ['ipvsadm -C; sleep 31; ipvsadm -Ln', 'what a foreign hand destroys is repaired'],
    [`tail -f ${join(stage.folder, 'kube-proxy.log')}`, 'what the proxy says'],
  ] as const)
    report.line(`  ${report.style('cyan', command)}   ${report.style('dim', why)}`);
  const script = join(stage.folder, 'bashrc');
  const hosts = [...stage.pods.values(), { ...stage.outside, name: 'outside' }];
  writeFileSync(
    script,
    startScript({
      kubeconfig: stage.kubeconfig,
      kubectl: stage.programs.kubectl,
      hosts: new Map(hosts.map((host) => [host.name, host.namespace.name])),
    }),
  );
  const { name } = stage.node.namespace;
  const shell = spawn('ip', ['netns', 'exec', name, 'bash', '--rcfile', script, '-i'], {
    stdio: 'inherit',
  });
  await new Promise((done) => shell.on('exit', done).on('error', done));
}

/** What the shell reads at its start: kubectl's environment, `on` and `pods`. */
export function startScript({
  kubeconfig,
  kubectl,
  hosts,
}: {
  readonly kubeconfig: string;
  readonly kubectl: string;
  /** Namespaces by the names of those who live in them. */
  readonly hosts: ReadonlyMap<string, string>;
}): string {
  return [
    `export KUBECONFIG=${kubeconfig} PATH=${dirname(kubectl)}:$PATH`,
    'unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY',
    "PS1='worker-1# '",
    'declare -A hosts=(',
    ...[...hosts].map(([name, namespace]) => `  [${name}]=${namespace}`),
    ')',
    'on() { local host=$1; shift; ip netns exec "${hosts[$host]:?no such pod}" "$@"; }',
    'pods() { printf \'%s\\n\' "${!hosts[@]}" | sort; }',
    '',
  ].join('\n');
}
