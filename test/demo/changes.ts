import { type IpAddress, printHostPort } from '../../pkg/ip/address.ts';
import { ip } from '../support/addresses.ts';
import { type KubeObject, recordsAt, textAt } from '../support/apiserver/objects.ts';
import { get } from './http.ts';
import { heldServers, serverKey } from './kernel.ts';
import { Load } from './load.ts';
import type { Report } from './report.ts';
import { countByPod, printCounts, vip } from './requests.ts';
import { slicesOf } from './shop.ts';
import { addressOf, nodeName, type Pod, type Stage } from './stage.ts';
import { milliseconds, pause, until } from './wait.ts';

const newPod = {
  name: 'storefront-n3w5t',
  addresses: [ip('10.0.1.99'), ip('fd00:10:0:1::63')],
  ports: [{ port: 8080, protocol: 'TCP' }],
} as const;

const newPodUid = '5b0f3a52-9f6c-4a58-8a0e-3d1c70f3c5b2';

/** What a slice says of a pod. */
type Conditions = Readonly<Record<'ready' | 'serving' | 'terminating', boolean>>;

/** A pod comes and goes, and a Service is deleted, all by kubectl, while clients ask without pause. */
export async function showChanges(stage: Stage, report: Report): Promise<void> {
  report.section(
    'Changes by kubectl, while a pod, the node and two clients outside ask storefront',
  );
  const load = startLoad(stage);
  const gone = deleteService(stage, report);
  try {
    await addAndRemove(stage, { report, load });
  } finally {
    await load.stop();
  }
  const { replies, failures } = load;
  report.line(`  ${replies.length} requests were answered: ${printCounts(countByPod(replies))}`);
  report.check(
    failures.length === 0 && replies.length > 100,
    `a pod came and went: ${failures.length} failed of ${replies.length + failures.length} requests${failures.length > 0 ? ` (${failures[0]})` : ''}`,
  );
  const served = load.answeredBy(newPod.name);
  report.check(served > 0, `the new pod took its share while it was there (${served} requests)`);
  await gone;
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
  await stage.startPods([newPod]);
  const pod = stage.podNamed(newPod.name);
  await apply(stage, { ready: true, serving: true, terminating: false });
  report.command(`kubectl apply -f storefront-slices.yaml   # ${newPod.name} is ready`);
  report.note(
    `new connections go there after ${milliseconds(await until('the new pod is in the kernel', () => weights(stage).every((weight) => weight === 1)))}`,
  );
  await until('the new pod answers', () => load.answeredBy(pod.name) >= 10);

  await apply(stage, { ready: false, serving: true, terminating: true });
  report.command(
    `kubectl apply -f storefront-slices.yaml   # ${newPod.name} is terminating, and still serves`,
  );
  report.note(
    `no new connections after ${milliseconds(await until('the new pod drains', () => weights(stage).every((weight) => !weight)))}`,
  );
  await end(pod);

  await apply(stage);
  report.command(`kubectl apply -f storefront-slices.yaml   # ${newPod.name} is gone`);
  const answered = load.answeredBy(pod.name);
  const before = load.replies.length;
  await until('more requests', () => load.replies.length > before + 50);
  report.check(load.answeredBy(pod.name) === answered, 'nobody is sent to a pod that is gone');
}

/** As a pod ends: it serves on for a moment (preStop), and then stops. */
async function end(pod: Pod): Promise<void> {
  await pause(500);
  pod.stop();
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
  const held = heldServers(stage.node.namespace);
  const at = (address: IpAddress, port: number) =>
    held.get(serverKey({ protocol: 'TCP', address, port }));
  const [own4, own6] = newPod.addresses;
  return [
    at(vip(stage, 'shop/storefront', 'IPv4'), 80)?.weights.get(printHostPort(own4, 8080)),
    at(vip(stage, 'shop/storefront', 'IPv6'), 80)?.weights.get(printHostPort(own6, 8080)),
    at(addressOf(stage.node, 'IPv4'), 30080)?.weights.get(printHostPort(own4, 8080)),
    at(addressOf(stage.node, 'IPv6'), 30080)?.weights.get(printHostPort(own6, 8080)),
  ];
}

/** Deletes a Service: nobody is answered any more, and then all that it had in the kernel is taken away. */
async function deleteService(stage: Stage, report: Report): Promise<void> {
  const address = vip(stage, 'shop/newsletter');
  await stage.kubectl(['delete', 'service', 'newsletter', '-n', 'shop']);
  report.command('kubectl delete service newsletter -n shop');
  const { namespace } = stage.node;
  const isAnswered = () =>
    get(stage.node, { address, port: 80 }).then(
      () => true,
      () => false,
    );
  const refused = await until(
    'newsletter is not answered any more',
    async () => !(await isAnswered()),
  );
  const isHeld = () =>
    heldServers(namespace).has(serverKey({ protocol: 'TCP', address, port: 80 })) ||
    namespace.run('ip', '-o', 'address', 'show', 'dev', 'kube-ipvs0').includes(` ${address}/`) ||
    namespace.run('ipset', 'list', 'KUBE-CLUSTER-IP').includes(`\n${address},`);
  const gone = await until('newsletter is gone from the kernel', () => !isHeld());
  report.check(
    true,
    `a deleted Service: refused after ${milliseconds(refused)}; virtual server, address and set entry gone ${(gone / 1000).toFixed(1)} s later`,
  );
}
