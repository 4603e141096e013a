import { readFileSync } from 'node:fs';
import { type GivenFlags, readCommandLine } from '../../pkg/config/command-line.ts';
import { type Loaded, load } from '../../pkg/config/load.ts';

// The commands and files of installers, untouched; those for another mode with no more than the mode changed.

const folder = new URL('../fixtures/installers/', import.meta.url);

/** One way to start the program. */
export interface Installer {
  readonly argv: readonly string[];
  /** A file of the folder. */
  readonly file?: string;
  /** Changes of the file's text. */
  readonly edit?: (text: string) => string;
}

function flags(argv: readonly string[]): GivenFlags {
  const result = readCommandLine(argv);
  if (result.action !== 'run') throw new Error(JSON.stringify(result));
  return result.given;
}

/** Reads the command line and the file as the program does. */
export function start({ argv, file, edit = (text) => text }: Installer): Loaded {
  const text = file && edit(readFileSync(new URL(file, folder), 'utf8'));
  return load(flags(argv), text);
}

/** The text of a file with mode ipvs, and nothing else changed. */
export function toIpvs(text: string): string {
  return text.replace(/^mode: .*$/m, 'mode: ipvs');
}

const k3s = [
  ...['--cluster-cidr=10.42.0.0/16', '--conntrack-max-per-core=0'],
  ...['--conntrack-tcp-timeout-close-wait=0s', '--conntrack-tcp-timeout-established=0s'],
  ...['--healthz-bind-address=127.0.0.1', '--hostname-override=Node-7'],
  '--kubeconfig=/var/lib/rancher/k3s/agent/kubeproxy.kubeconfig',
] as const;

/** The arguments that installers start the program with. */
export const commands = {
  /** Also of kubespray and ACK. */
  kubeadm: ['--config=/var/lib/kube-proxy/config.conf', '--hostname-override=Node-7'],
  /** Self-managed. */
  eks: ['--v=2', '--config=/var/lib/kube-proxy-config/config', '--hostname-override=Node-7'],
  /** The community chart. */
  chart: ['--v=2', '--config=/var/lib/kube-proxy/config', '--hostname-override=Node-7'],
  gardener: ['--config=/var/lib/kube-proxy-config/config.yaml', '--v=2'],
  /** Gardener's first init container, without the old mode. */
  gardenerCleanup: ['--v=2', '--cleanup', '--config=/var/lib/kube-proxy-config/config.yaml'],
  /** Without a file. */
  kops: [
    ...['--cluster-cidr=100.96.0.0/11', '--conntrack-max-per-core=131072'],
    ...['--hostname-override=Node-7', '--kubeconfig=/var/lib/kube-proxy/kubeconfig'],
    ...['--master=https://api.internal.example.com', '--oom-score-adj=-998', '--proxy-mode=ipvs'],
    ...['--ipvs-scheduler=wrr', '--ipvs-exclude-cidrs=10.9.0.0/16', '--v=2'],
  ],
  /** Without a file, and without a mode. */
  k3s,
  /** Without a file. */
  rke2: [
    ...k3s.slice(0, -1),
    '--kubeconfig=/var/lib/rancher/rke2/agent/kubeproxy.kubeconfig',
    '--proxy-mode=ipvs',
  ],
} satisfies Readonly<Record<string, readonly string[]>>;

/** The flags that kOps added before v1.23. */
export const kopsLogFlags = [
  '--logtostderr=false',
  '--alsologtostderr',
  '--log-file=/var/log/kube-proxy.log',
] as const;
