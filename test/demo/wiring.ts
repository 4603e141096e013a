import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { IpAddress } from '../../pkg/ip/address.ts';
import { namespaceOf } from '../support/namespace.ts';
import { gatewayMac, type Host, podLines, printHostRoute } from '../support/network/network.ts';

/** A pod that is to be wired. */
interface Plan {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
}

/**
 * Wires pods to a node as `Network` does, all of them by one shell, so that it takes a second in an emulated machine and not a
 * minute, and the event loop turns meanwhile. Pods are numbered from `first`, for the names of their devices.
 */
export async function wirePods(
  node: Host,
  { plans, first }: { plans: readonly Plan[]; first: number },
): Promise<Host[]> {
  const pods = plans.map(({ name, addresses }, index) => {
    const number = first + index;
    const namespace = namespaceOf(`kube-proxy-demo-${process.pid}-${number}`);
    return { name, addresses, namespace, device: `v-pod${number}` };
  });
  await runScript([
    'set -e',
    ...batch(
      [],
      pods.map(({ namespace }) => `netns add ${namespace.name}`),
    ),
    ...batch(
      ['-n', node.namespace.name],
      pods.flatMap(({ namespace, device, addresses }) => [
        `link add ${device} type veth peer name eth0 netns ${namespace.name}`,
        `link set ${device} address ${gatewayMac} up`,
        `addr add fe80::1/64 dev ${device} nodad`,
        ...addresses.map((address) => `route add ${printHostRoute(address)} dev ${device}`),
      ]),
    ),
    ...pods.flatMap(({ namespace, addresses }) =>
      batch(['-n', namespace.name], ['link set lo up', ...podLines(addresses)]),
    ),
  ]);
  return pods;
}

/** Takes the namespaces of pods away. */
export async function removePods(pods: readonly Host[]): Promise<void> {
  await runScript(
    batch(
      [],
      pods.map(({ namespace }) => `netns delete ${namespace.name}`),
    ),
  );
}

/** Lines of a script that give lines to one `ip`. */
function batch(options: readonly string[], lines: readonly string[]): string[] {
  return [`ip ${options.join(' ')} -batch - <<'END'`, ...lines, 'END'];
}

async function runScript(lines: readonly string[]): Promise<void> {
  const shell = spawn('sh', { stdio: ['pipe', 'ignore', 'pipe'] });
  const status = new Promise((done) => shell.on('close', done));
  shell.stdin.end(`${lines.join('\n')}\n`);
  const complaints = await text(shell.stderr);
  if ((await status) !== 0) throw new Error(`wiring pods: ${complaints}`);
}
