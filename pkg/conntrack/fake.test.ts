import { describe, expect, test } from 'vitest';
import { conntrackContract, plainFlow, translatedFlow } from '../../test/contract/conntrack.ts';
import type { Flow } from './conntrack.ts';
import { FakeConntrack } from './fake.ts';

async function flowsOf(conntrack: FakeConntrack): Promise<Flow[]> {
  const flows: Flow[] = [];
  await conntrack.dump({ family: 'IPv4' }, (flow) => flows.push(flow));
  return flows;
}

describe('the fake keeps the contract', () => {
  conntrackContract(() => {
    const conntrack = new FakeConntrack();
    return {
      conntrack,
      insert: (flow) => conntrack.insert({ ...flow, status: 0 }),
      dispose: () => undefined,
    };
  });
});

describe('the fake', () => {
  test('prints itself as conntrack -L does, sorted', () => {
    const conntrack = new FakeConntrack();
    conntrack.insert({ ...plainFlow({ zone: 3 }), status: 0 });
    conntrack.insert({
      ...translatedFlow('10.0.0.8', { protocol: 'TCP', tcpState: 'ESTABLISHED' }),
      status: 0,
    });
    expect(conntrack.print()).toBe(
      [
        'tcp ESTABLISHED src=10.0.0.7 dst=172.30.0.1 sport=1024 dport=53 src=10.0.0.8 dst=10.0.0.7 sport=5353 dport=1024 mark=0',
        'udp src=10.0.0.7 dst=172.30.0.1 sport=1024 dport=53 src=172.30.0.1 dst=10.0.0.7 sport=53 dport=1024 mark=0 zone=3',
      ].join('\n'),
    );
  });

  test('holds a tuple once', () => {
    const conntrack = new FakeConntrack();
    conntrack.insert({ ...plainFlow(), status: 0 });
    expect(() => conntrack.insert({ ...translatedFlow('10.0.0.8'), status: 0 })).toThrow(
      'insert UDP 10.0.0.7:1024 > 172.30.0.1:53: EEXIST',
    );
  });

  test('fails what it is told to fail, after it tried everything else', async () => {
    const conntrack = new FakeConntrack();
    for (const sourcePort of [1, 2, 3])
      conntrack.insert({ ...plainFlow({ sourcePort }), status: 0 });
    const flows = await flowsOf(conntrack);
    conntrack.failWith = (call) =>
      call.call === 'dump' || call.flow.original.sourcePort === 1 ? 'EPERM' : undefined;
    expect(() => conntrack.delete(flows)).toThrow(
      'delete flow UDP 10.0.0.7:1 > 172.30.0.1:53: EPERM',
    );
    await expect(flowsOf(conntrack)).rejects.toMatchObject({ code: 'EPERM' });
    conntrack.failWith = () => undefined;
    expect(await flowsOf(conntrack)).toHaveLength(1);
    expect(conntrack.calls).toEqual({ dump: 3, delete: 1, add: 0 });
  });
});
