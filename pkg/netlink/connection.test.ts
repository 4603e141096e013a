import { describe, expect, test } from 'vitest';
import {
  done,
  errorAnswer,
  message,
  type ScriptedSocket,
  scriptedSocket,
} from '../../test/support/scripted-socket.ts';
import { KernelError } from '../errno/errno.ts';
import { u16 } from '../wire/codec.ts';
import { errnoNumber } from './codes.ts';
import { Connection } from './connection.ts';
import { type Command, NLM_F_DUMP_INTR, NLM_F_MULTI } from './message.ts';

const read: Command<number, number> = {
  name: 'READ',
  type: 20,
  flags: 0,
  request: u16,
  reply: u16,
};
const EPERM = errnoNumber('EPERM');
const ENOENT = errnoNumber('ENOENT');
const ENOBUFS = errnoNumber('ENOBUFS');

/** An object in a dump. */
function part(value: number, flags = 0) {
  return message({ type: 20, payload: Uint8Array.of(value, 0), flags: NLM_F_MULTI | flags });
}

function connect(...sockets: readonly ScriptedSocket[]): Connection {
  const left = [...sockets];
  return new Connection(() => left.shift() ?? scriptedSocket([]), { timeout: 0 });
}

function batch(
  connection: Connection,
  items: readonly number[],
  groupSize = 64,
): readonly string[] {
  const failures = connection.batch(items, {
    put: (item, sink) => sink.put(read, item),
    describe: (item) => `write ${item}`,
    groupSize,
  });
  return failures.map(({ index, error }) => `${index}: ${error.message}`);
}

/** Holds the event loop. */
function spin(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

describe('transaction', () => {
  function transact(connection: Connection): void {
    connection.transaction(10, { command: read, value: 7, operation: 'change it' });
  }

  test('the request stands between begin and end, and it alone asks for an answer', () => {
    const socket = scriptedSocket([[errorAnswer(0, 1)]]);
    transact(connect(socket));
    const sent = socket.sent[0] ?? new Uint8Array(0);
    const view = new DataView(sent.buffer);
    const messages: string[] = [];
    for (let at = 0; at < sent.length; at += (view.getUint32(at, true) + 3) & ~3)
      messages.push(`${view.getUint16(at + 4, true)} ${view.getUint16(at + 6, true)}`);
    expect(messages).toEqual(['16 1', '20 5', '17 1']);
  });

  test('a refusal of the request or of the whole is an error', () => {
    const refused = connect(scriptedSocket([[errorAnswer(ENOENT, 1)]]));
    expect(() => transact(refused)).toThrow('change it: ENOENT');
    const forbidden = connect(scriptedSocket([[errorAnswer(EPERM)]]));
    expect(() => transact(forbidden)).toThrow('change it: EPERM');
  });

  test('a lost answer is one too, and what is late is not taken for the next', () => {
    const connection = connect(scriptedSocket([[], [errorAnswer(ENOENT, -1), errorAnswer(0, 1)]]));
    expect(() => transact(connection)).toThrow('change it: ETIMEDOUT');
    transact(connection);
  });
});

describe('request', () => {
  test('what comes before the acknowledgement is the answer', () => {
    const connection = connect(scriptedSocket([[part(7), part(8), errorAnswer(0)]]));
    expect(connection.request(read, 1, 'read it')).toEqual([7, 8]);
  });

  test('an answer to an older request is not taken for this one', () => {
    const stale = message({ type: 20, payload: Uint8Array.of(9, 0), after: -1 });
    const connection = connect(
      scriptedSocket([[], [stale, errorAnswer(ENOENT, -1), part(7), errorAnswer(0)]]),
    );
    expect(() => connection.request(read, 1, 'read it')).toThrow('read it: ETIMEDOUT');
    expect(connection.request(read, 1, 'read it')).toEqual([7]);
  });

  test('a refusal is an error with what was tried and why', () => {
    const connection = connect(scriptedSocket([[errorAnswer(ENOENT)]]));
    expect(() => connection.request(read, 1, 'read it')).toThrow(
      new KernelError('read it', 'ENOENT'),
    );
  });

  test('a refusal for lack of rights says which one is missing', () => {
    const connection = connect(scriptedSocket([[errorAnswer(EPERM)]]));
    expect(() => connection.request(read, 1, 'read it')).toThrow(
      'read it: EPERM (needs the capability CAP_NET_ADMIN)',
    );
  });

  test('an answer that its table cannot read is EBADMSG', () => {
    const connection = connect(
      scriptedSocket([[message({ type: 20, payload: Uint8Array.of(1) })]]),
    );
    expect(() => connection.request(read, 1, 'read it')).toThrow(
      'read it: EBADMSG (READ: needs 2 bytes, has 1)',
    );
  });

  test('a datagram that is no message is EBADMSG', () => {
    const connection = connect(scriptedSocket([[() => new Uint8Array(16)]]));
    expect(() => connection.request(read, 1, 'read it')).toThrow('read it: EBADMSG');
  });

  test('a value that does not fit is ERANGE and is not sent', () => {
    const socket = scriptedSocket([]);
    expect(() => connect(socket).request(read, 65_536, 'read it')).toThrow(
      'read it: ERANGE (65536 is no u16)',
    );
    expect(socket.sent).toEqual([]);
  });
});

describe('batch', () => {
  test('one send holds many messages, and only the last asks for an acknowledgement', () => {
    const socket = scriptedSocket([[errorAnswer(0, 2)]]);
    expect(batch(connect(socket), [1, 2, 3])).toEqual([]);
    expect(socket.sent).toHaveLength(1);
    const flags = [6, 26, 46].map((at) => socket.sent[0]?.[at]);
    expect(flags).toEqual([1, 1, 5]);
  });

  test('errors find the items they belong to, over several sends', () => {
    const socket = scriptedSocket([
      [errorAnswer(ENOENT, 1)],
      [errorAnswer(ENOENT, 0), errorAnswer(0, 1)],
      [errorAnswer(0, 0)],
    ]);
    expect(batch(connect(socket), [1, 2, 3, 4, 5], 2)).toEqual([
      '1: write 2: ENOENT',
      '2: write 3: ENOENT',
    ]);
    expect(socket.sent).toHaveLength(3);
  });

  test('an item that does not fit is left out and the others keep their index', () => {
    const socket = scriptedSocket([[errorAnswer(ENOENT, 1)]]);
    expect(batch(connect(socket), [1, 70_000, 3])).toEqual([
      '1: write 70000: ERANGE (70000 is no u16)',
      '2: write 3: ENOENT',
    ]);
    expect(socket.sent[0]).toHaveLength(40);
  });

  test.each([
    ['and the acknowledgement is there', [errorAnswer(0, 3)]],
    ['the acknowledgement too', []],
  ])(
    'when answers are lost, %s, what was not answered is in doubt, and the next send is not',
    (_, rest) => {
      const lossy = [errorAnswer(ENOENT, 0), ENOBUFS, errorAnswer(ENOENT, 2), ...rest];
      const connection = connect(scriptedSocket([lossy, [errorAnswer(0, 0)]]));
      expect(batch(connection, [1, 2, 3, 4, 5], 4)).toEqual([
        '0: write 1: ENOENT',
        '1: write 2: ENOBUFS',
        '2: write 3: ENOENT',
        '3: write 4: ENOBUFS',
      ]);
    },
  );

  test('when no acknowledgement comes, everything that was not answered is in doubt', () => {
    const socket = scriptedSocket([[errorAnswer(ENOENT, 1)], [errorAnswer(0, 0)]]);
    const outcome = batch(connect(socket), [1, 2, 3]);
    expect(outcome).toEqual([
      '0: write 1: ETIMEDOUT',
      '1: write 2: ENOENT',
      '2: write 3: ETIMEDOUT',
    ]);
  });

  test('messages that are too long for one send go in several', () => {
    const socket = {
      ...scriptedSocket([[errorAnswer(0, 1)], [errorAnswer(ENOENT, 1)]]),
      sendLimit: 40,
    };
    expect(batch(connect(socket), [1, 2, 3, 4])).toEqual(['3: write 4: ENOENT']);
    expect(socket.sent.map(({ length }) => length)).toEqual([40, 40]);
    expect(socket.sent[1]?.[16]).toBe(3);
  });

  test('an empty batch is not sent', () => {
    const socket = scriptedSocket([]);
    expect(batch(connect(socket), [])).toEqual([]);
    expect(socket.sent).toEqual([]);
  });

  test('an item without a message is a mistake of the program', () => {
    const put = () => {};
    const describe_ = () => 'nothing';
    expect(() => connect(scriptedSocket([])).batch([1], { put, describe: describe_ })).toThrow(
      'no message for: nothing',
    );
  });
});

describe('dump', () => {
  test('everything up to the end is got, from the connection’s second socket', async () => {
    const requests = scriptedSocket([]);
    const dumps = scriptedSocket([[part(1), part(2), done()]]);
    expect(await connect(requests, dumps).list(read, 0, 'list')).toEqual([1, 2]);
    expect(requests.sent).toEqual([]);
    expect(dumps.sent[0]?.slice(6, 8)).toEqual(Uint8Array.of(0x01, 0x03));
  });

  test('an interrupted dump comes again', async () => {
    const dumps = scriptedSocket([
      [part(1), part(2, NLM_F_DUMP_INTR), done()],
      [part(3), done()],
    ]);
    expect(await connect(scriptedSocket([]), dumps).list(read, 0, 'list')).toEqual([3]);
  });

  test('a dump that is interrupted for ever ends', async () => {
    const interrupted = [part(2, NLM_F_DUMP_INTR), done()];
    const dumps = scriptedSocket(Array.from({ length: 9 }, () => interrupted));
    const list = connect(scriptedSocket([]), dumps).list(read, 0, 'list');
    await expect(list).rejects.toThrow('list: EINTR (changed during each of 5 dumps)');
    expect(dumps.sent).toHaveLength(5);
  });

  test.each([
    ['an error before it began', [errorAnswer(ENOENT)], 'list: ENOENT'],
    ['an error on the way', [part(1), done(ENOENT)], 'list: ENOENT'],
    ['silence', [part(1)], 'list: ETIMEDOUT'],
    [
      'an object that cannot be read',
      [message({ type: 20 }), done()],
      'list: EBADMSG (READ: needs 2 bytes, has 0)',
    ],
    [
      'a datagram that is no message',
      [() => new Uint8Array(16)],
      'list: EBADMSG (message of 0 bytes)',
    ],
  ])('%s ends it, and the next one gets a fresh socket', async (_, answers, text) => {
    const broken = scriptedSocket([answers]);
    const connection = connect(scriptedSocket([]), broken, scriptedSocket([[part(5), done()]]));
    await expect(connection.list(read, 0, 'list')).rejects.toThrow(text);
    expect(broken.isClosed).toBe(true);
    expect(await connection.list(read, 0, 'list')).toEqual([5]);
  });

  test('what the receiver throws ends it', async () => {
    const broken = scriptedSocket([[part(1), done()]]);
    const dump = connect(scriptedSocket([]), broken).dump(read, 0, {
      operation: 'list',
      onReply() {
        throw new Error('no more');
      },
      onRestart() {},
    });
    await expect(dump).rejects.toThrow('no more');
    expect(broken.isClosed).toBe(true);
  });

  test('the second of two waits for the first, also while that lets the event loop turn', async () => {
    const dumps = scriptedSocket([
      [part(1), part(2), done()],
      [part(3), done()],
    ]);
    const connection = connect(scriptedSocket([]), dumps);
    const seen: string[] = [];
    const dump = (name: string) =>
      connection.dump(read, 0, {
        operation: name,
        onReply(value) {
          seen.push(`${name} ${value}`);
          spin(9);
        },
        onRestart() {},
      });
    await Promise.all([dump('first'), dump('second')]);
    expect(seen).toEqual(['first 1', 'first 2', 'second 3']);
  });

  test('an answer to something older is no object of it', async () => {
    const stale = message({ type: 20, payload: Uint8Array.of(9, 0), after: -1 });
    const dumps = scriptedSocket([[stale, part(1), done()]]);
    expect(await connect(scriptedSocket([]), dumps).list(read, 0, 'list')).toEqual([1]);
  });

  test('a long one lets the event loop turn', async () => {
    const dumps = scriptedSocket([[part(1), part(2), part(3), done()]]);
    let turns = 0;
    let isDone = false;
    const count = () => {
      turns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    const turnsAt: number[] = [];
    await connect(scriptedSocket([]), dumps).dump(read, 0, {
      operation: 'list',
      onReply() {
        turnsAt.push(turns);
        spin(9);
      },
      onRestart() {},
    });
    isDone = true;
    expect(turnsAt[0]).toBeLessThan(turnsAt[1] as number);
    expect(turnsAt[1]).toBeLessThan(turnsAt[2] as number);
  });

  test('a closed connection dumps no more', async () => {
    const connection = connect(scriptedSocket([]));
    connection.close();
    await expect(connection.list(read, 0, 'list')).rejects.toThrow(
      'list: EBADF (the connection is closed)',
    );
  });
});
