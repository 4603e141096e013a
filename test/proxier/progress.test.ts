import { beforeEach, expect, test } from 'vitest';
import { noOptions } from '../../pkg/kube/annotations.ts';
import { ProgressBoard, printProgress } from '../../pkg/runner/progress.ts';
import { ip } from '../support/addresses.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { FakeKernel, Stand, setService, setSlice } from '../support/proxier.ts';

// What a first sync shows of how far it has come: looked at whenever it reads or writes the kernel.

let board: ProgressBoard;
let seen: string[];
let kernel: FakeKernel;
let note: () => void;

beforeEach(() => {
  board = new ProgressBoard();
  seen = [];
  kernel = new FakeKernel();
  const { ipvs } = kernel;
  note = () => void seen.push(...board.current.map(printProgress));
  const { write, virtualServers } = ipvs;
  ipvs.write = (batch) => (note(), write.call(ipvs, batch));
  ipvs.virtualServers = () => (note(), virtualServers.call(ipvs));
});

function objects(count: number) {
  return Array.from({ length: count }, (_, index) => {
    const name = `web-${index}`;
    const clusterIPs = [ip(`172.30.1.${index + 1}`)];
    const of = { name: `${name}-1`, serviceName: name };
    return [
      setService(service({ name, clusterIPs })),
      setSlice(slice([endpoint(`10.0.0.${index + 1}`)], of)),
    ];
  }).flat();
}

const share = (done: number, total: number) =>
  `first sync: writing objects to the kernel: ${done} of ${total} (${Math.floor((done / total) * 100)} %)`;

test('Services entered, objects compared, objects written; then nothing, and of later syncs nothing', async () => {
  const serviceOptionsOf = () => (note(), noOptions);
  const stand = new Stand({ kernel, progress: board, serviceOptionsOf });
  stand.report(...objects(200));
  await stand.sync();
  expect(seen[0]).toBe('first sync: entering Services: 0 of 200 (0 %)');
  expect(seen[199]).toBe('first sync: entering Services: 199 of 200 (99 %)');
  expect(seen[200]).toMatch(/^first sync: comparing objects with the kernel/);
  // For each Service a virtual server, an address and two set entries; the entries first, then parts of 64 virtual servers.
  const total = 800;
  const written = seen.filter((line) => line.includes('writing'));
  expect([...new Set(written)]).toEqual([400, 528, 656, 784].map((done) => share(done, total)));
  expect(board.current).toEqual([]);
  seen = [];
  stand.report(setService(service({ name: 'late', clusterIPs: [ip('172.30.2.1')] })));
  await stand.settle(1000);
  expect(kernel.ipvs.dump()).toContain('172.30.2.1');
  expect(seen).toEqual([]);
  await stand.stop();
});

test('waiting for rules', async () => {
  kernel.firewall.isLocked = true;
  const stand = new Stand({ kernel, progress: board });
  stand.report(...objects(1));
  await stand.sync();
  expect(board.current.map(printProgress)).toEqual(['first sync: waiting for rules']);
  kernel.firewall.isLocked = false;
  await stand.settle(60_000);
  expect(board.current).toEqual([]);
  await stand.stop();
});
