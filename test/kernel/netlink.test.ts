import { spawnSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { KernelError } from '../../pkg/errno/errno.ts';
import { addressFamily, ipAddress } from '../../pkg/netlink/addresses.ts';
import { type Connection, openConnection } from '../../pkg/netlink/connection.ts';
import { EventSocket } from '../../pkg/netlink/events.ts';
import { GenericFamily, getFamily, NETLINK_GENERIC } from '../../pkg/netlink/generic.ts';
import { type Command, NLM_F_CREATE } from '../../pkg/netlink/message.ts';
import { ReceiveBuffer } from '../../pkg/netlink/receive-buffer.ts';
import { attributes, optional } from '../../pkg/wire/attributes.ts';
import { bytes, u8, u32, type ValueOf } from '../../pkg/wire/codec.ts';
import { struct } from '../../pkg/wire/struct.ts';
import { ip } from '../support/addresses.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';
import { bundled } from '../support/program.ts';

const NETLINK_ROUTE = 0;
const RTNLGRP_IPV4_IFADDR = 5;
const RTM_NEWADDR = 20;
const lo = 1;

const addressMessage = struct({
  family: u8,
  prefixLength: u8,
  flags: u8,
  scope: u8,
  index: u32,
  attributes: attributes('IFA', {
    local: optional(2, ipAddress),
    ballast: optional(0x3000, bytes), // unknown to the kernel, which ignores it
  }),
});
type AddressMessage = ValueOf<typeof addressMessage>;

function row(name: string, type: number, flags = 0): Command<AddressMessage, AddressMessage> {
  return { name, type, flags, request: addressMessage, reply: addressMessage };
}
const newAddress = row('RTM_NEWADDR', RTM_NEWADDR, NLM_F_CREATE);
const getAddress = row('RTM_GETADDR', 22);

function loopback(index: number, ballast?: Uint8Array): AddressMessage {
  const local = ip(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
  return {
    family: addressFamily(local),
    prefixLength: 32,
    flags: 0,
    scope: 0,
    index: lo,
    attributes: { local, ballast },
  };
}

const everything: AddressMessage = {
  family: 0,
  prefixLength: 0,
  flags: 0,
  scope: 0,
  index: 0,
  attributes: {},
};

function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

let namespace: Namespace;
let connections: { close(): void }[];
beforeEach(() => {
  namespace = createNamespace();
  connections = [];
});
afterEach(() => {
  for (const connection of connections) connection.close();
  namespace.remove();
});

function connect(options: Parameters<typeof openConnection>[1] = {}): Connection {
  const connection = openConnection(NETLINK_ROUTE, { netns: namespace.path, ...options });
  connections.push(connection);
  return connection;
}

function addAddresses(
  connection: Connection,
  indexes: readonly number[],
  ballast?: Uint8Array,
): readonly string[] {
  const failures = connection.batch(indexes, {
    put: (index, sink) => sink.put(newAddress, loopback(index, ballast)),
    describe: (index) => `add ${index}`,
  });
  return failures.map(({ error }) => `${error.operation} ${error.code}`);
}

describe('a connection', () => {
  test('writes in the namespace that it was opened in, and nowhere else', async () => {
    const connection = connect();
    expect(addAddresses(connection, [7])).toEqual([]);
    expect(namespace.run('ip', '-4', '-br', 'addr')).toContain('10.0.0.7/32');
    const here = openConnection(NETLINK_ROUTE);
    connections.push(here);
    const outside = await here.list(getAddress, everything, 'list addresses');
    expect(outside.map(({ attributes: { local } }) => local)).not.toContain('10.0.0.7');
  });

  test('dumps what needs many receives', async () => {
    const connection = connect();
    expect(addAddresses(connection, numbers(2_000))).toEqual([]);
    const addresses = await connection.list(getAddress, everything, 'list addresses');
    expect(addresses.filter(({ family }) => family === 2)).toHaveLength(2_001);
  });

  test('receives a short dump with its end, and two refusals, in one system call each', async () => {
    const connection = connect();
    const receive = vi.spyOn(ReceiveBuffer.prototype, 'receive');
    onTestFinished(() => receive.mockRestore());
    // Of one family: a dump of all has a datagram for each.
    await connection.list(getAddress, { ...everything, family: 2 }, 'list addresses');
    expect(receive).toHaveBeenCalledTimes(1);
    // The first is done and not acknowledged, the others are refused.
    expect(addAddresses(connection, [1, 1, 1])).toEqual(['add 1 EEXIST', 'add 1 EEXIST']);
    expect(receive).toHaveBeenCalledTimes(2);
  });

  test('can ask and write while a dump is under way', async () => {
    const connection = connect();
    addAddresses(connection, numbers(500));
    const dumps = [1, 2].map(() => connection.list(getAddress, everything, 'list addresses'));
    expect(addAddresses(connection, [501, 501])).toEqual(['add 501 EEXIST']);
    expect((await Promise.all(dumps)).map((list) => list.length >= 500)).toEqual([true, true]);
  });

  test('gives the kernel’s own sentence', () => {
    const connection = openConnection(NETLINK_GENERIC);
    connections.push(connection);
    const ask = () => connection.request(getFamily, { familyName: 'x'.repeat(40) }, 'find it');
    expect(ask).toThrow('find it: EINVAL (Attribute failed policy validation)');
  });

  test('splits what is longer than the send buffer, and refuses only what never fits', () => {
    // 16 messages of 1,024 bytes would fill the buffer to the last byte, and the kernel wants 32 of them for itself.
    const connection = connect({ sendBuffer: 8_192 });
    expect(addAddresses(connection, numbers(60), new Uint8Array(988))).toEqual([]);
    expect(addAddresses(connection, [61], new Uint8Array(20_000))).toEqual(['add 61 EMSGSIZE']);
    expect(addAddresses(connection, [62])).toEqual([]);
    expect(namespace.run('ip', '-4', '-br', 'addr').match(/10\.0\.0\.\d+/g)).toHaveLength(61);
  });

  test('says ENOBUFS of what was done or refused without an answer, and goes on', () => {
    const connection = connect({ receiveBuffer: 2_304 });
    expect(addAddresses(connection, [1])).toEqual([]);
    const wrong = { ...loopback(1), attributes: {} };
    const failures = connection.batch(numbers(64), {
      put: (index, sink) => sink.put(newAddress, index === 64 ? loopback(64) : wrong),
      describe: (index) => `add ${index}`,
    });
    const codes = new Set(failures.map(({ error }) => error.code));
    expect([...codes].sort()).toEqual(['EINVAL', 'ENOBUFS']);
    expect(failures.at(-1)?.error.message).toBe('add 64: ENOBUFS');
    expect(namespace.run('ip', '-4', '-br', 'addr')).toContain('10.0.0.64/32');
    expect(addAddresses(connection, [65])).toEqual([]);
  });

  test('gives the request back where it is asked to', () => {
    const wrong = { ...loopback(1), attributes: {}, index: 4_711 };
    const batch = (connection: Connection) =>
      connection.batch([wrong], {
        put: (value, sink) => sink.put(newAddress, value),
        describe: () => 'add',
      });
    expect(batch(connect())[0]?.echo).toHaveLength(0);
    const echo = batch(connect({ echo: true }))[0]?.echo ?? new Uint8Array(0);
    expect(new DataView(echo.buffer).getUint32(4, true)).toBe(4_711);
  });

  test('has no family that the kernel has not', () => {
    const connection = openConnection(NETLINK_GENERIC);
    connections.push(connection);
    expect(() => new GenericFamily(connection, 'NO_SUCH').id()).toThrow(
      'find generic netlink family NO_SUCH: EOPNOTSUPP (the kernel has none)',
    );
    expect(
      connection.request(getFamily, { familyName: 'nlctrl' }, 'find nlctrl')[0]?.familyId,
    ).toBe(16);
  });

  test('cannot be opened where there is no namespace', () => {
    expect(() => openConnection(NETLINK_ROUTE, { netns: '/run/netns/no-such' })).toThrow('ENOENT');
  });

  test('closed, it answers EBADF', () => {
    const connection = connect();
    connection.close();
    expect(addAddresses(connection, [1])).toEqual(['add 1 EBADF']);
    expect(() => connection.request(getAddress, everything, 'ask')).toThrow(KernelError);
  });
});

describe('an event socket', () => {
  interface Received {
    readonly addresses: string[];
    overflows: number;
    /** Ends once enough was heard. */
    until(isEnough: (received: Received) => boolean): Promise<void>;
  }

  function listen(receiveBuffer?: number): Received {
    let check = () => {};
    const received: Received = {
      addresses: [],
      overflows: 0,
      until: (isEnough) =>
        new Promise((resolve) => {
          check = () => {
            if (isEnough(received)) resolve();
          };
          check();
        }),
    };
    const socket = new EventSocket(NETLINK_ROUTE, {
      netns: namespace.path,
      groups: [RTNLGRP_IPV4_IFADDR],
      ...(receiveBuffer === undefined ? {} : { receiveBuffer }),
      onMessage({ type, reader }) {
        if (type !== RTM_NEWADDR) return;
        received.addresses.push(addressMessage.decode(reader).attributes.local ?? '');
        check();
      },
      onOverflow() {
        received.overflows++;
        check();
      },
    });
    connections.push(socket);
    return received;
  }

  test('hears what others change', async () => {
    const received = listen();
    namespace.run('ip', 'addr', 'add', '10.9.9.9/32', 'dev', 'lo');
    await received.until(({ addresses }) => addresses.length > 0);
    expect(received.addresses).toEqual(['10.9.9.9']);
  });

  test('says so when it lost some, and hears what comes after', async () => {
    const received = listen(2_304);
    addAddresses(connect(), numbers(200));
    await received.until(({ overflows }) => overflows > 0);
    expect(received.addresses.length).toBeLessThan(200);
    addAddresses(connect(), [900]);
    await received.until(({ addresses }) => addresses.includes('10.0.3.132'));
    addAddresses(connect(), numbers(1_200).slice(1_000));
    await received.until(({ overflows }) => overflows > 1);
  });

  test('closed, it hears nothing, twice closed neither', async () => {
    const received = listen();
    for (const connection of connections) connection.close();
    addAddresses(connect(), [1]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(received.addresses).toEqual([]);
  });
});

test('nothing stays open, and nothing keeps the process alive', async () => {
  const argv = [await bundled('test/fixtures/open-and-close.ts'), namespace.path];
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, argv, {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect({ status, signal, stdout, stderr }).toEqual({
    status: 0,
    signal: null,
    stdout: 'opened 4, left 0\n',
    stderr: '',
  });
});
