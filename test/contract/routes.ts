import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { errnoOf } from '../../pkg/errno/errno.ts';
import { printLocalRoute, type Routes, type RouteWrite } from '../../pkg/routes/routes.ts';
import { ip, net } from '../support/addresses.ts';

/** What the suite needs of an implementation, made anew for each test. */
export interface RoutesSubject {
  readonly routes: Routes;
  /** Another program puts an address on a device: `192.168.0.10/24`. */
  readonly addAddress: (text: string) => void;
  /** Our routes by another way, sorted: `172.30.0.0/16 src 192.168.0.10`. */
  readonly readBack: () => readonly string[];
  readonly dispose: () => void;
}

/** What every Routes does. */
export function routesContract(name: string, make: () => RoutesSubject): void {
  describe(name, () => {
    let subject: RoutesSubject;
    beforeEach(() => {
      subject = make();
      subject.addAddress('192.168.0.10/24');
      subject.addAddress('192.168.0.11/24');
      subject.addAddress('fd00:192:168::10/64');
    });
    afterEach(() => subject.dispose());
    const get = () => subject;
    single(get);
    refusals(get);
    many(get);
  });
}

function single(get: () => RoutesSubject): void {
  test.each([
    ['172.30.0.1/32', '192.168.0.10'],
    ['172.30.0.0/16', '192.168.0.10'],
    ['fd00:172:30::1/128', 'fd00:192:168::10'],
    ['fd00:172:30::/112', 'fd00:192:168::10'],
  ])('%s is added with a source and found again, then deleted', async (network, source) => {
    const { routes, readBack } = get();
    expect(routes.write([add(network, source)])).toEqual([]);
    const printed = [`${network} src ${source}`];
    expect(readBack()).toEqual(printed);
    expect(await list(get())).toEqual(printed);
    expect(routes.write([remove(network)])).toEqual([]);
    expect(readBack()).toEqual([]);
    expect(await list(get())).toEqual([]);
  });

  test('adding again sets the source, and adding without one takes it away', async () => {
    const { routes, readBack } = get();
    routes.write([add('172.30.0.0/16', '192.168.0.10'), add('172.30.0.0/16', '192.168.0.11')]);
    expect(readBack()).toEqual(['172.30.0.0/16 src 192.168.0.11']);
    for (const network of ['172.30.0.0/16', 'fd00:172:30::/112'])
      expect(routes.write([add(network), add(network)])).toEqual([]);
    expect(readBack()).toEqual(['172.30.0.0/16', 'fd00:172:30::/112']);
    expect(await list(get())).toEqual(readBack());
  });

  test('deleting one that is not there succeeds, and takes no other', () => {
    const { routes, readBack } = get();
    routes.write([add('172.30.0.0/16'), add('fd00:172:30::/112')]);
    for (const network of ['172.30.0.0/24', '172.30.0.0/32', 'fd00:172:30::/64', 'fd00::/112'])
      expect(routes.write([remove(network)])).toEqual([]);
    expect(readBack()).toEqual(['172.30.0.0/16', 'fd00:172:30::/112']);
  });
}

function refusals(get: () => RoutesSubject): void {
  test('a source that no device has is EINVAL, and the others of the batch are done', () => {
    const { routes, readBack } = get();
    const failures = routes.write([
      add('172.30.0.1/32', '192.168.0.99'),
      add('172.30.0.2/32', '192.168.0.10'),
      add('fd00:172:30::1/128', 'fd00:192:168::99'),
    ]);
    expect(failures.map(({ index, error }) => [index, errnoOf(error)])).toEqual([
      [0, 'EINVAL'],
      [2, 'EINVAL'],
    ]);
    expect(failures[0]?.error.message).toMatch(
      /^add local route 172[.]30[.]0[.]1[/]32 src 192[.]168[.]0[.]99: EINVAL/,
    );
    expect(readBack()).toEqual(['172.30.0.2/32 src 192.168.0.10']);
  });

  test('a network with bits of a host is EINVAL', () => {
    const network = { address: ip('172.30.0.1'), length: 16 };
    const [failure] = get().routes.write([{ kind: 'addRoute', network, source: undefined }]);
    expect(errnoOf(failure?.error)).toBe('EINVAL');
    expect(get().readBack()).toEqual([]);
  });
}

function many(get: () => RoutesSubject): void {
  test('hundreds of routes of both families in one batch', async () => {
    const { routes, readBack } = get();
    const networks = Array.from({ length: 150 }, (_, index) => [
      `172.30.${index}.1/32`,
      `fd00:172:30::${(index + 1).toString(16)}/128`,
    ]).flat();
    expect(routes.write(networks.map((network) => add(network)))).toEqual([]);
    expect(readBack()).toEqual(networks.toSorted());
    expect(await list(get())).toEqual(readBack());
    expect(routes.write(networks.map(remove))).toEqual([]);
    expect(readBack()).toEqual([]);
  });

  test('the empty batch does nothing', () => {
    expect(get().routes.write([])).toEqual([]);
  });
}

function add(network: string, source?: string): RouteWrite {
  return {
    kind: 'addRoute',
    network: net(network),
    source: source === undefined ? undefined : ip(source),
  };
}

function remove(network: string): RouteWrite {
  return { kind: 'deleteRoute', network: net(network) };
}

async function list({ routes }: RoutesSubject): Promise<readonly string[]> {
  return (await routes.routes()).map(printLocalRoute).sort();
}
