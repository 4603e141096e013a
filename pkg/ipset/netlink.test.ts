import { describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { errnoOf, KernelError } from '../errno/errno.ts';
import { decode, encode } from '../wire/codec.ts';
import { Writer } from '../wire/writer.ts';
import { commands } from './commands.ts';
import type { EntryWrite, SetHeader } from './ipset.ts';
import { NetlinkIpSets, type SetsConnection } from './netlink.ts';

/** A kernel that answers what it is told to, by command, and keeps what it was asked. */
class Kernel implements SetsConnection {
  readonly asked: { name: string; value: unknown }[] = [];
  readonly answers: Readonly<Record<string, unknown>>;

  /** An answer is a body, or an error code. */
  constructor(answers: Readonly<Record<string, unknown>>) {
    this.answers = answers;
  }

  request: SetsConnection['request'] = (command, value, operation) => {
    this.asked.push({ name: command.name, value });
    const answer = this.answers[command.name];
    if (typeof answer === 'string') throw new KernelError(operation, answer as `E${string}`);
    // The answers of a test are as their commands have them.
    return (answer === undefined ? [] : [{ family: 2, body: answer }]) as never;
  };

  batch: SetsConnection['batch'] = (items, { describe: describeItem }) =>
    items.map((item, index) => {
      const error = new KernelError(describeItem(item), this.answers['batch'] as `E${string}`);
      return { index, error, echo: new Uint8Array(0) };
    });

  dump: SetsConnection['dump'] = () => Promise.reject(new Error('no dump'));
  list: SetsConnection['list'] = () => Promise.reject(new Error('no list'));
}

const header: SetHeader = {
  name: 'KUBE-SOURCES',
  type: 'hash:ip,port,net',
  family: 'IPv4',
  hashSize: 1024,
  maxElements: 65536,
};

function service(port: number): EntryWrite {
  const entry = { type: 'hash:ip,port', ip: ip('172.30.0.1'), protocol: 'TCP', port } as const;
  return { kind: 'addEntry', set: 'KUBE-CLUSTER-IP', entry };
}

function caught(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('the revision of a set', () => {
  test.each([
    ['is the newest of an old kernel', { revision: 7, oldestRevision: 0 }, 7],
    ['is the one that common tools know on a new kernel', { revision: 12, oldestRevision: 0 }, 8],
    [
      'is the oldest of a kernel that knows none of those',
      { revision: 12, oldestRevision: 10 },
      10,
    ],
  ])('%s', (_, revisions, expected) => {
    const kernel = new Kernel({ IPSET_CMD_TYPE: revisions });
    new NetlinkIpSets(kernel).create(header);
    expect(kernel.asked.at(-1)).toMatchObject({
      name: 'IPSET_CMD_CREATE',
      value: { body: { revision: expected } },
    });
  });

  test('is asked for once', () => {
    const kernel = new Kernel({ IPSET_CMD_TYPE: { revision: 8, oldestRevision: 0 } });
    const ipsets = new NetlinkIpSets(kernel);
    ipsets.create(header);
    ipsets.create({ ...header, name: 'KUBE-6-SOURCES', family: 'IPv6' });
    expect(kernel.asked.map(({ name }) => name)).toEqual([
      'IPSET_CMD_TYPE',
      'IPSET_CMD_CREATE',
      'IPSET_CMD_CREATE',
    ]);
  });
});

describe('a kernel without', () => {
  test('ipset is named by its module', () => {
    const ipsets = new NetlinkIpSets(new Kernel({ IPSET_CMD_PROTOCOL: 'EINVAL' }));
    expect(() => ipsets.protocol()).toThrow(
      'ask for the ipset protocol: EOPNOTSUPP (kernel module ip_set is missing: modprobe ip_set)',
    );
  });

  test('a set type is named by its module', () => {
    const ipsets = new NetlinkIpSets(new Kernel({ IPSET_CMD_TYPE: 'E4098' }));
    expect(() => ipsets.create(header)).toThrow(
      'create set KUBE-SOURCES: EOPNOTSUPP (kernel module ip_set_hash_ipportnet is missing: modprobe ip_set_hash_ipportnet)',
    );
  });

  test('a right to ask is not', () => {
    const ipsets = new NetlinkIpSets(
      new Kernel({ IPSET_CMD_PROTOCOL: 'EPERM', IPSET_CMD_TYPE: 'EPERM' }),
    );
    expect(errnoOf(caught(() => ipsets.protocol()))).toBe('EPERM');
    expect(errnoOf(caught(() => ipsets.create(header)))).toBe('EPERM');
  });
});

test('an answer that is lost counts as failed for every entry, until somebody reads back', () => {
  const ipsets = new NetlinkIpSets(new Kernel({ batch: 'ENOBUFS' }));
  const writes = Array.from({ length: 2000 }, (_, port) => service(port));
  const failures = ipsets.write(writes);
  expect(failures.map(({ index }) => index)).toEqual(writes.map((_, index) => index));
  expect(failures[1999]?.error.message).toBe(
    'add 172.30.0.1,tcp:1999 to set KUBE-CLUSTER-IP: ENOBUFS',
  );
});

test('a full set is not sent the same thousands again and again', () => {
  let sent = 0;
  const kernel = new Kernel({});
  kernel.batch = (items, { put, describe: describeItem }) =>
    items.map((item, index) => {
      let echo: Uint8Array = new Uint8Array(0);
      put(item, {
        put(command, value) {
          const writer = new Writer();
          command.request.encode(writer, value);
          const { add } = commands; // nothing else is put
          const { family, body } = decode(add.request, writer.written());
          sent += body.list.entries.length;
          echo = encode(add.request, { family, body: { ...body, line: 1 } });
        },
      });
      return { index, error: new KernelError(describeItem(item), 'E4352'), echo };
    });
  const writes = Array.from({ length: 5000 }, (_, port) => service(port));
  expect(new NetlinkIpSets(kernel).write(writes)).toHaveLength(5000);
  expect(sent).toBeLessThan(10_000);
});
