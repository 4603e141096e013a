import { afterEach, expect, test } from 'vitest';
import { one, stands, start, stopStands, terminating } from '../draining.ts';
import { Dice } from '../kube/dice.ts';
import { service, servicePort, slice } from '../objects.ts';
import { type Stand, setSlice } from '../proxier.ts';
import { doForeignDeed, type ForeignDeed, foreignDeeds } from './foreign-hands.ts';

afterEach(stopStands);

/** `shop/web` with a node port, one endpoint that serves and one that drains. */
async function drainingNode(): Promise<Stand> {
  const object = service({ type: 'NodePort', ports: [servicePort({ nodePort: 30_080 })] });
  const stand = await start({}, object);
  const { ipvs } = stand.kernel;
  for (const virtualServer of await ipvs.virtualServers())
    for (const realServer of await ipvs.realServers(virtualServer))
      ipvs.setCounters(virtualServer, realServer, { activeConnections: 1 });
  stand.report(setSlice(slice([one, terminating])));
  await stand.settle();
  return stand;
}

/** The lines that are in one text and not in another. */
function difference(one: string, other: string): readonly string[] {
  const lines = new Set(other.split('\n'));
  return one.split('\n').filter((line) => !lines.has(line));
}

/** What a line looks like that must be gone after a deed, and every line that comes. */
const changes: Readonly<Record<ForeignDeed, { readonly gone?: RegExp; readonly come?: RegExp }>> = {
  'deletes a virtual server': { gone: /^-A -t/ },
  'deletes all virtual servers': { gone: /^-A -t 172/ },
  'deletes a real server': { gone: /^-a -t .* -r 10[.]0/ },
  'deletes the draining real servers': { gone: /^-a -t .* -w 0$/ },
  'sets a weight': { gone: /^-a -t/, come: /^-a -t .* -w [017]$/ },
  'adds a real server': { come: /^-a -t .*10[.]9[.]9[.]9:9999/ },
  'changes a virtual server': { gone: /^-A -t .* -s rr$/, come: /^-A -t .* -s lc$/ },
  'flushes a chain': { gone: /^-A KUBE-/ },
  'flushes all rules': { gone: /^-A KUBE-/ },
  'clears a set': { gone: /^add KUBE-/ },
  'destroys a set': { gone: /^create KUBE-/ },
  'adds an entry': { come: /^add KUBE-CLUSTER-IP 172[.]30[.]9/ },
  'unbinds an address': { gone: /^ {2}172[.]30/ },
  'binds an address': { come: /^ {2}172[.]30[.]9/ },
  'deletes the device': { gone: /^kube-ipvs0 dummy/ },
};

test.each(foreignDeeds)('somebody %s', async (deed) => {
  const stand = await drainingNode();
  const { kernel } = stand;
  const before = kernel.dump();
  const dice = new Dice(1);
  // A die may fall on what is empty or already so.
  for (let tries = 0; tries < 50; tries++)
    if (await doForeignDeed(deed, { kernel, dice, isOurs: () => true })) break;
  const after = kernel.dump();
  const gone = difference(before, after);
  const come = difference(after, before);
  const expected = changes[deed];
  expect(gone.some((line) => expected.gone?.test(line) ?? true)).toBe(expected.gone !== undefined);
  expect(come.every((line) => expected.come?.test(line))).toBe(true);
  expect(come.length > 0).toBe(expected.come !== undefined);
});

test('what is not ours is left alone, and that is no deed', async () => {
  const { kernel } = await drainingNode();
  const hand = { kernel, dice: new Dice(1), isOurs: () => false };
  const before = kernel.dump();
  expect(await doForeignDeed('deletes all virtual servers', hand)).toBe(false);
  expect(kernel.dump()).toBe(before);
  expect(stands).toHaveLength(1);
});
