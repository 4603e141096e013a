import { type KubeObject, recordsAt, textAt } from '@kube-proxy-ipvs/test-apiserver/objects';
import { type IpAddress, printHostPort } from '../../pkg/ip/address.ts';
import { ip } from '../support/addresses.ts';
import { get } from '../support/network/http.ts';
import { heldVirtualServers, virtualServerKey } from './kernel.ts';
import { Load } from './load.ts';
import type { Report } from './report.ts';
import { countByPod, lastPart, vip } from './requests.ts';
import { slicesOf } from './shop.ts';
import { addressOf, nodeName, type Stage } from './stage.ts';
import { until } from './wait.ts';

const newPod = {
  name: 'storefront-n3w5t',
  addresses: [ip('10.0.1.99'), ip('fd00:10:0:1::63')],
  ports: [{ port: 8080, protocol: 'TCP' }],
} as const;

const newPodUid = '5b0f3a52-9f6c-4a58-8a0e-3d1c70f3c5b2';

/** Of each step of it, at least. */
const requestsEach = 24;

/** The conditions of a pod's endpoint in a slice. */
type Conditions = Readonly<Record<'ready' | 'serving' | 'terminating', boolean>>;

/** A pod comes and goes, and a Service is deleted, all by kubectl, while clients ask without pause. */
export async function showChanges(stage: Stage, report: Report): Promise<void> {
  report.section(
    'A pod comes and goes, while a pod, the node and two clients outside ask storefront',
  );
  const load = startLoad(stage);
  try {
    await addAndRemove(stage, { report, load });
  } finally {
    await load.stop();
  }
  const { answered, failures } = load;
  const count = answered.length + failures.length;
  const example = failures.length > 0 ? ` (${failures[0]})` : '';
  report.check(
    failures.length === 0,
    `a pod came and went: ${failures.length} failed of ${count} requests${example}`,
  );
}

function startLoad(stage: Stage): Load {
  const load = new Load();
  const port = 30080;
  load.add(stage.pod('catalog'), { address: vip(stage, 'shop/storefront'), port: 80 });
  load.add(stage.node, { address: vip(stage, 'shop/storefront'), port: 80 });
  load.add(stage.outside, { address: addressOf(stage.node, 'IPv4'), port });
  load.add(stage.outside, { address: addressOf(stage.node, 'IPv6'), port });
  return load;
}

async function addAndRemove(
  stage: Stage,
  { report, load }: { report: Report; load: Load },
): Promise<void> {
  const { name } = newPod;
  const pods = [...stage.pods.keys(), name].filter((pod) => pod.startsWith('storefront-'));
  const share = async (moment = performance.now()) => {
    await until('more requests', () => load.since(moment).length >= requestsEach);
    const answered = load.since(moment);
    const counts = countByPod(answered);
    const shares = pods.map((pod) => `${lastPart(pod)} ${counts.get(pod) ?? '–'}`.padEnd(10));
    report.line(`      ${answered.length} requests: ${shares.join('').trimEnd()}`);
    return counts.get(name) ?? 0;
  };
  await share(0);
  await stage.startPods([newPod]);
  const pod = stage.podNamed(name);

  report.command(`kubectl apply -f storefront-slices.yaml   # with ${name}, ready`);
  await apply(stage, { ready: true, serving: true, terminating: false });
  await until('the new pod is in the kernel', () => weights(stage).every((one) => one === 1));
  report.note('in the kernel, for all four virtual servers of storefront');
  report.check((await share()) > 0, 'a pod that is ready gets its share');

  report.command(`kubectl apply -f storefront-slices.yaml   # it is terminating, and still serves`);
  await apply(stage, { ready: false, serving: true, terminating: true });
  await until('the new pod drains', () => weights(stage).every((weight) => !weight));
  report.note('its weight is 0');
  report.check((await share()) === 0, 'no new connection goes to a pod that terminates');
  await stage.removePod(pod);

  report.command(`kubectl apply -f storefront-slices.yaml   # it is gone`);
  await apply(stage);
  report.check((await share()) === 0, 'nobody is sent to a pod that is gone');
}

/** Applies the slices of storefront, with the new pod in this condition or, if none is given, without it. */
async function apply(stage: Stage, conditions?: Conditions): Promise<void> {
  const slices = slicesOf('shop/storefront', stage.server.objects('EndpointSlice')) as KubeObject[];
  const items = slices.map((slice) => {
    const { name, namespace, labels } = slice.metadata;
    const { apiVersion, kind } = slice;
    const others = recordsAt(slice, 'endpoints').filter(
      (endpoint) => textAt(endpoint, 'targetRef.name') !== newPod.name,
    );
    const addressType = textAt(slice, 'addressType');
    const added = {
      conditions,
      nodeName,
      addresses: newPod.addresses.filter(
        (address) => address.includes(':') === (addressType === 'IPv6'),
      ),
      targetRef: { kind: 'Pod', namespace, name: newPod.name, uid: newPodUid },
    };
    const endpoints = conditions === undefined ? others : [...others, added];
    return {
      apiVersion,
      kind,
      metadata: { name, namespace, labels },
      addressType,
      endpoints,
      ports: slice['ports'],
    };
  });
  await stage.kubectl(
    ['apply', '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
  );
}

/** Weights of the new pod in the virtual servers of storefront; undefined where it is not. */
function weights(stage: Stage): (number | undefined)[] {
  const held = heldVirtualServers(stage.node.namespace);
  const at = (address: IpAddress, port: number) =>
    held.get(virtualServerKey({ protocol: 'TCP', address, port }));
  const [own4, own6] = newPod.addresses;
  return [
    at(vip(stage, 'shop/storefront', 'IPv4'), 80)?.weights.get(printHostPort(own4, 8080)),
    at(vip(stage, 'shop/storefront', 'IPv6'), 80)?.weights.get(printHostPort(own6, 8080)),
    at(addressOf(stage.node, 'IPv4'), 30080)?.weights.get(printHostPort(own4, 8080)),
    at(addressOf(stage.node, 'IPv6'), 30080)?.weights.get(printHostPort(own6, 8080)),
  ];
}

/** A Service is deleted: nobody is answered any more, and then all that it had in the kernel is taken away. */
export async function showDeletion(stage: Stage, report: Report): Promise<void> {
  report.section('A Service is deleted');
  const address = vip(stage, 'shop/newsletter');
  report.command('kubectl delete service newsletter -n shop');
  await stage.kubectl(['delete', 'service', 'newsletter', '-n', 'shop']);
  const deleted = performance.now();
  const { namespace } = stage.node;
  const key = virtualServerKey({ protocol: 'TCP', address, port: 80 });
  const weightsLeft = () => [...(heldVirtualServers(namespace).get(key)?.weights.values() ?? [])];
  // Asking before would make a connection, which the kernel counts for two minutes after its end, and the drain would wait for it.
  await until('newsletter takes nobody new', () => weightsLeft().every((weight) => weight === 0));
  let outcome = '';
  const isAnswered = async () => {
    outcome = await get(stage.node, { address, port: 80 }).then(
      () => 'answered',
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    );
    return outcome === 'answered';
  };
  await until('newsletter is not answered any more', async () => !(await isAnswered()));
  report.note(`the node is told ${outcome}`);
  const isHeld = () =>
    heldVirtualServers(namespace).has(key) ||
    namespace.run('ip', '-o', 'address', 'show', 'dev', 'kube-ipvs0').includes(` ${address}/`) ||
    namespace.run('ipset', 'list', 'KUBE-CLUSTER-IP').includes(`\n${address},`);
  await until('newsletter is gone from the kernel', () => !isHeld(), 400);
  report.note('its virtual server, its address and its set entry are gone');
  const seconds = ((performance.now() - deleted) / 1000).toFixed(1);
  report.check(
    outcome === 'ECONNREFUSED',
    `a deleted Service is refused (${outcome}), and gone from the kernel after ${seconds} s`,
  );
}
