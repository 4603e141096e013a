import { expect, onTestFinished, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { endpoint, service, slice } from '../../test/support/objects.ts';
import { Stand, setService, setSlice } from '../../test/support/proxier.ts';
import { stretches } from '../../test/support/stretches.ts';
import { Yielder } from '../runner/yielder.ts';
import { realServersOf } from './real-servers.ts';

const web = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;

const many = Array.from({ length: 1_000 }, (_, index) =>
  endpoint(`10.0.${index >> 8}.${index & 255}`),
);

/** How many real servers of `shop/web` are looked at between two turns of the event loop, of all that are. */
async function lookedAt(stand: Stand, isWanted: boolean) {
  const { view } = stand.proxier;
  const [footprint] = view.ledger.footprints('shop/web');
  let time = 0;
  let looked = 0;
  const { longest } = await stretches(
    () => looked,
    () =>
      realServersOf(web, {
        view,
        frontEnd: isWanted ? footprint?.frontEnds[0] : undefined,
        isOwned: true,
        limit: 10,
        // Each look at the time takes a millisecond of it.
        yielder: new Yielder(() => ++time),
        isMeant: () => ++looked > 0,
      }),
  );
  return { longest, looked };
}

test('the event loop turns while wanted, held and draining real servers are looked at', async () => {
  const stand = new Stand();
  onTestFinished(() => stand.stop());
  stand.report(setService(service()), setSlice(slice(many)));
  await stand.sync();
  for (const isWanted of [true, false]) {
    const { longest, looked } = await lookedAt(stand, isWanted);
    expect(looked).toBe(1_000);
    expect(longest).toBeLessThan(20);
  }
  for (const { address, port } of many.map(({ address: of }) => ({ address: of, port: 8080 })))
    stand.kernel.ipvs.setCounters(web, { address, port }, { activeConnections: 1 });
  stand.report(setSlice(slice([])));
  await stand.settle(1_000);
  const { longest, looked } = await lookedAt(stand, true);
  expect([stand.proxier.graceful.size, looked]).toEqual([1_000, 1_000]);
  expect(longest).toBeLessThan(20);
});
