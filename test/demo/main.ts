/**
 * The demo: a node with pods, an API server and the proxy, and a shop on them that is used and changed. `hack/demo.sh` runs this
 * where the kernel has IPVS. Ends with status 0 if everything was as it should be.
 */
import { release } from 'node:os';
import { parseArgs } from 'node:util';
import { get } from '../support/network/http.ts';
import { showChanges, showDeletion } from './changes.ts';
import { heldVirtualServers } from './kernel.ts';
import { showLatency } from './latency.ts';
import { showDns } from './names.ts';
import { Report } from './report.ts';
import { showRequests, vip } from './requests.ts';
import { keepShell } from './shell.ts';
import { Stage } from './stage.ts';
import { differences, showVirtualServers, wantedNow } from './virtual-servers.ts';
import { until } from './wait.ts';

/** Somebody wants the demo to end. */
class Interruption extends Error {
  constructor(signal: NodeJS.Signals) {
    super(`ended by ${signal}`);
  }
}

/** After this everything has gone wrong; in milliseconds. */
const limit = 300_000;

const { values: options } = parseArgs({
  options: {
    kubectl: { type: 'string', default: 'kubectl' },
    proxy: { type: 'string', default: 'cmd/kube-proxy/main.ts' },
    shop: { type: 'string', default: 'hack/demo/shop' },
    keep: { type: 'boolean', default: false },
  },
});
const report = new Report({ isColoured: process.env['DEMO_COLOUR'] === 'yes' });
const interrupted = Promise.withResolvers<never>();
const failed = Promise.withResolvers<never>();
for (const { promise } of [interrupted, failed]) promise.catch(() => undefined); // it may come when nobody waits any more
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => interrupted.reject(new Interruption(signal)));
setTimeout(() => failed.reject(new Error(`not done after ${limit / 1000} s`)), limit);

const stage = new Stage(options);
try {
  await Promise.race([play(), interrupted.promise, failed.promise]);
  if (options.keep) await Promise.race([keepShell(stage, report), interrupted.promise]);
} catch (error) {
  report.check(false, error instanceof Error ? error.message : String(error));
  if (error instanceof Interruption) {
    report.silence(); // what was interrupted goes on for a moment
  } else {
    await printLog();
    report.summary();
  }
}
await stage[Symbol.asyncDispose]();
// oxlint-disable-next-line unicorn/no-process-exit -- clients that were interrupted may wait for answers still
process.exit(report.isGood ? 0 : 1);

async function play(): Promise<void> {
  await setUp();
  showVirtualServers(stage, report);
  await showRequests(stage, report);
  await showDns(stage, report);
  await showChanges(stage, report);
  await showDeletion(stage, report);
  await showLatency(stage, report);
  if (!options.keep) await showStop();
  if (!report.isGood && !options.keep) await printLog();
  report.summary();
  if (report.isGood && !options.keep)
    report.line(report.style('dim', 'hack/demo.sh --keep leaves a shell on the node.'));
}

/** Brings everything up, as much of it at the same time as can be. */
async function setUp(): Promise<void> {
  report.line(report.style('bold', `A node, its pods, and a shop on them`));
  report.line(
    '  a client outside ── [ worker-1: kube-proxy, IPVS ] ── pods, each a network namespace',
  );
  report.line(`  kernel ${release()}${describeMachine()}; Node ${process.versions.node}`);

  await stage.listen();

  report.line(`  test API server on ${stage.server.url}, with TLS and a token`);
  const { flags, died } = stage.startProxy();
  void died.then((how) => failed.reject(new Error(`the proxy has ended, with ${how}`)));
  const shown = flags.map((flag) => flag.replace(stage.folder, '/etc/kubernetes'));
  report.command(`kube-proxy ${shown.join(' ')}`);
  report.command(`kubectl apply -f ${options.shop}/`);
  await Promise.all([applyShop(), startPods()]);
  await until(
    'the kernel holds what the Services ask for',
    () => differences(wantedNow(stage), heldVirtualServers(stage.node.namespace)).length === 0,
    400,
  );
  report.note('the kernel holds what they ask for');
}

function describeMachine(): string {
  if (process.env['KERNEL_WHERE'] !== 'vm') return '';
  const isEmulated = process.env['KERNEL_VM_ACCEL'] !== 'kvm';
  return isEmulated
    ? ' in an emulated machine, where everything takes several times as long'
    : ' in a virtual machine';
}

async function applyShop(): Promise<void> {
  const lines = (await stage.kubectl(['apply', '-f', options.shop])).trim().split('\n');
  const count = (kind: string) => lines.filter((line) => line.startsWith(kind)).length;
  report.note(
    `${count('service/')} services and ${count('endpointslice.')} endpoint slices created`,
  );
}

async function startPods(): Promise<void> {
  await stage.startShop(options.shop);
  report.note(`${stage.pods.size} pods run`);
}

/** Sends the proxy a signal to end: it does at once, and what it made stays. */
async function showStop(): Promise<void> {
  report.section('The proxy stops, the shop goes on');
  const memory = stage.proxy.residentMemory();
  const { how, milliseconds } = await stage.proxy.stop();
  report.line(
    `  resident memory before: ${memory} MB; SIGTERM ended it after ${milliseconds.toFixed(0)} ms`,
  );
  const to = { address: vip(stage, 'shop/catalog'), port: 80 };
  const asked = Array.from({ length: 9 }, () =>
    get(stage.pod('cart'), to).then(
      () => true,
      () => false,
    ),
  );
  const answered = (await Promise.all(asked)).filter(Boolean).length;
  report.check(how === 'status 0', `the proxy ends when told to (${how})`);
  report.check(answered === 9, `Services work on without it: ${answered} of 9 requests answered`);
}

/** What the proxy said last, its reasons for ending included. */
async function printLog(): Promise<void> {
  report.line('\n  The last words of the proxy:');
  for (const line of await stage.lastWords(20)) report.line(`    ${line}`);
}
