import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { errnoOf, isExists, isNotFound } from '../../pkg/errno/errno.ts';
import type { AddressWrite, Links } from '../../pkg/links/links.ts';
import { ip } from '../support/addresses.ts';

/** What the suite needs of an implementation, made anew for each test. */
export interface LinksSubject {
  readonly links: Links;
  /** Two devices without addresses, neither a dummy device unless it is the first. */
  readonly device: string;
  readonly other: string;
  /** A foreign hand puts an address on a device: `192.168.0.1/24`. */
  readonly addAddress: (link: string, text: string) => void;
  readonly removeAddress: (link: string, text: string) => void;
  /** The addresses of a device by another way, sorted, link-local IPv6 ones left out: `192.168.0.1/24`. */
  readonly readBack: (link: string) => string[];
  readonly dispose: () => void;
}

/** What every Links does. */
export function linksContract(
  name: string,
  { make, hasDummy }: { make: () => LinksSubject; hasDummy: boolean },
): void {
  describe(name, () => {
    let subject: LinksSubject;
    beforeEach(() => {
      subject = make();
    });
    afterEach(() => subject.dispose());
    const get = () => subject;
    describe.skipIf(!hasDummy)(hasDummy ? 'dummy devices' : 'no dummy devices here', () =>
      dummies(get),
    );
    describe('addresses', () => addresses(get));
    describe('events', () => events(get));
  });
}

function dummies(get: () => LinksSubject): void {
  test('a device is made once, and found after', () => {
    const { links } = get();
    expect(links.hasLink('kube-test0')).toBe(false);
    expect(links.ensureDummy('kube-test0')).toBe(true);
    expect(links.ensureDummy('kube-test0')).toBe(false);
    expect(links.hasLink('kube-test0')).toBe(true);
    expect([links.isDummy('kube-test0'), links.isDummy(get().other)]).toEqual([true, false]);
    links.deleteLink('kube-test0');
    expect(links.hasLink('kube-test0')).toBe(false);
    expect(links.isDummy('kube-test0')).toBe(false);
  });

  test('a device of that name and another kind is refused', () => {
    const { links, other } = get();
    expect(caught(() => links.ensureDummy(other))).toSatisfy(isExists);
    expect(() => links.ensureDummy(other)).toThrow(
      /^create dummy device \S+: EEXIST \(there is one of kind \w+\)$/,
    );
  });

  test('deleting a device that is not there is ENODEV', () => {
    const error = caught(() => get().links.deleteLink('kube-test0'));
    expect(error).toSatisfy(isNotFound);
    expect(errnoOf(error)).toBe('ENODEV');
  });

  test('a name that is too long is refused', () => {
    expect(() => get().links.ensureDummy('a-name-too-long0')).toThrow(
      'create dummy device a-name-too-long0: ',
    );
  });
}

function addresses(get: () => LinksSubject): void {
  test.each(['172.30.0.1', 'fd00:172:30::1'])('%s is bound alone and found again', async (text) => {
    const { links, device, readBack } = get();
    expect(links.write([bind(device, text)])).toEqual([]);
    const full = `${text}/${text.includes(':') ? 128 : 32}`;
    expect(readBack(device)).toEqual([full]);
    expect(await of(get(), device)).toEqual([full]);
    expect(links.write([unbind(device, text)])).toEqual([]);
    expect(readBack(device)).toEqual([]);
  });

  test('binding twice and unbinding twice succeed', () => {
    const { links, device, readBack } = get();
    for (const text of ['172.30.0.1', 'fd00:172:30::1']) {
      expect(links.write([bind(device, text), bind(device, text)])).toEqual([]);
      expect(links.write([unbind(device, text), unbind(device, text)])).toEqual([]);
    }
    expect(readBack(device)).toEqual([]);
  });

  test('hundreds of addresses of both families in one batch', async () => {
    const { links, device, readBack } = get();
    const texts = Array.from({ length: 150 }, (_, index) => [
      `172.30.${index}.1`,
      `fd00:172:30::${index.toString(16)}`,
    ]).flat();
    expect(links.write(texts.map((text) => bind(device, text)))).toEqual([]);
    expect(readBack(device)).toHaveLength(300);
    expect(await of(get(), device)).toEqual(readBack(device));
    expect(links.write(texts.map((text) => unbind(device, text)))).toEqual([]);
    expect(readBack(device)).toEqual([]);
  });

  test('without the device every write fails with ENODEV, and those of other devices are done', () => {
    const { links, device, readBack } = get();
    const failures = links.write([
      bind('kube-none0', '172.30.0.1'),
      bind(device, '172.30.0.2'),
      unbind('kube-none0', '172.30.0.1'),
    ]);
    expect(failures.map(({ index, error }) => [index, error.message])).toEqual([
      [0, 'add address 172.30.0.1 to kube-none0: ENODEV'],
      [2, 'delete address 172.30.0.1 from kube-none0: ENODEV'],
    ]);
    expect(readBack(device)).toEqual(['172.30.0.2/32']);
  });

  test('one address may stand on two devices', async () => {
    const { links, device, other } = get();
    links.write([bind(device, '172.30.0.1'), bind(other, '172.30.0.1')]);
    expect(await of(get(), device)).toEqual(['172.30.0.1/32']);
    expect(await of(get(), other)).toEqual(['172.30.0.1/32']);
  });

  test('devices have names', async () => {
    const { links, device, other } = get();
    const names = [...(await links.names()).values()];
    expect(names).toEqual(expect.arrayContaining(['lo', device, other]));
    expect(new Set(names).size).toBe(names.length);
  });

  test('addresses of others are listed with their prefix length, and unbound whatever it is', async () => {
    const { links, other, addAddress, readBack } = get();
    addAddress(other, '192.168.0.7/24');
    addAddress(other, 'fd00:192:168::7/64');
    expect(await of(get(), other)).toEqual(['192.168.0.7/24', 'fd00:192:168::7/64']);
    expect(links.write([unbind(other, '192.168.0.7')])).toEqual([]);
    expect(readBack(other)).toEqual(['fd00:192:168::7/64']);
  });

  test('the empty batch does nothing', () => {
    expect(get().links.write([])).toEqual([]);
  });
}

function events(get: () => LinksSubject): void {
  test('an address that comes, and one that goes, are told', async () => {
    const { other, addAddress, removeAddress } = get();
    await using watch = watching(get());
    for (const text of ['192.168.0.7/24', 'fd00:192:168::7/64']) {
      addAddress(other, text);
      await watch.reported();
      removeAddress(other, text);
      await watch.reported();
    }
  });

  test('our own writes to the excepted device are not told', async () => {
    const { links, device, other, addAddress, removeAddress } = get();
    await using watch = watching(get());
    // It hears our own writes too: they have arrived when it is told.
    await using witness = watching({ ...get(), device: '' });
    const texts = Array.from({ length: 50 }, (_, index) => `172.30.0.${index}`);
    links.write(texts.map((text) => bind(device, text)));
    await witness.reported();
    expect(watch.count()).toBe(0);
    addAddress(other, '192.168.0.7/24');
    await watch.reported();
    await witness.reported();
    links.write(texts.map((text) => unbind(device, text)));
    await witness.reported();
    expect(watch.count()).toBe(1);
    // All that was on its way came before this.
    removeAddress(other, '192.168.0.7/24');
    await watch.reported();
    expect(watch.count()).toBe(2);
  });

  test('many changes of one turn are told once', async () => {
    const { other, addAddress } = get();
    await using watch = watching(get());
    for (let index = 1; index <= 20; index++) addAddress(other, `192.168.${index}.7/24`);
    await watch.reported();
    expect(watch.count()).toBe(1);
  });

  test('after the signal nothing is told, and the watch ends', async () => {
    const { other, addAddress } = get();
    const watch = watching(get());
    await watch[Symbol.asyncDispose]();
    await using witness = watching(get());
    addAddress(other, '192.168.0.7/24');
    await witness.reported();
    expect(watch.count()).toBe(0);
    await get().links.watch(() => {}, { except: '', signal: AbortSignal.abort() });
  });
}

/** A watch that counts, and ends when it is disposed of. */
function watching({ links, device }: LinksSubject) {
  const abort = new AbortController();
  let count = 0;
  let awaited = 0;
  let wake = () => {};
  const ended = links.watch(
    () => {
      count++;
      wake();
    },
    { except: device, signal: abort.signal },
  );
  return {
    count: () => count,
    /** Until it was told once more than the last time. */
    async reported(): Promise<void> {
      awaited = Math.max(awaited + 1, count);
      while (count < awaited) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      // Others hear of the same change in the same turn, and of more that came with it.
      await turn();
      awaited = count;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      abort.abort();
      await ended;
    },
  };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function bind(link: string, text: string): AddressWrite {
  return { kind: 'bindAddress', link, address: ip(text) };
}

function unbind(link: string, text: string): AddressWrite {
  return { kind: 'unbindAddress', link, address: ip(text) };
}

/** The addresses that Links reports of a device, sorted; link-local IPv6 ones left out. */
async function of({ links }: LinksSubject, device: string): Promise<string[]> {
  return (await links.addresses())
    .filter(({ link, address }) => link === device && !address.startsWith('fe80:'))
    .map(({ address, prefixLength }) => `${address}/${prefixLength}`)
    .sort();
}

function caught(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
