import { describe, expect, test } from 'vitest';
import { type Family, families } from '../ip/address.ts';
import { type ManualClock, manualClock } from '../runner/manual-clock.ts';
import { type HealthAnswer, ProxyHealth } from './proxy-health.ts';
import { printTime } from './time.ts';

const v4: readonly Family[] = ['IPv4'];
const v6: readonly Family[] = ['IPv6'];

/** Health with a sync period of 30 s, of a node that was seen. */
function fresh(): { clock: ManualClock; health: ProxyHealth } {
  const clock = manualClock();
  const health = new ProxyHealth({ clock, syncPeriod: 30_000 });
  health.nodeSeen({ isEligible: true });
  return { clock, health };
}

/** The same after a first sync of both families at time 0. */
function synced(): { clock: ManualClock; health: ProxyHealth } {
  const made = fresh();
  made.health.queued(families);
  made.health.updated(families, 0);
  made.health.firstSyncDone();
  return made;
}

/** The answers as status codes: healthz, livez, readyz. */
function codes(health: ProxyHealth): number[] {
  return [health.healthz(), health.livez(), health.readyz()].map(({ isOk }) => (isOk ? 200 : 503));
}

function bodyOf({ body }: HealthAnswer): Record<string, unknown> {
  return JSON.parse(body) as Record<string, unknown>;
}

describe('before the first sync is done', () => {
  test('the program lives, and nothing more', () => {
    expect(codes(fresh().health)).toEqual([503, 200, 503]);
  });
  test('it may wait for the API as long as it likes', async () => {
    const { clock, health } = fresh();
    await clock.advance(1e9);
    expect(codes(health)).toEqual([503, 200, 503]);
    health.queued(families);
    await clock.advance(1e9);
    expect(codes(health)).toEqual([503, 200, 503]);
  });
  test('it lives while batches advance, however long', async () => {
    const { clock, health } = fresh();
    health.queued(families);
    for (let batch = 0; batch < 20; batch++) {
      await clock.advance(59_000);
      health.progressed();
    }
    expect(codes(health)).toEqual([503, 200, 503]);
  });
  test('it does not when they stand still for twice the period', async () => {
    const { clock, health } = fresh();
    health.queued(families);
    await clock.advance(1_000);
    health.progressed();
    await clock.advance(59_999);
    expect(codes(health)).toEqual([503, 200, 503]);
    await clock.advance(1);
    expect(codes(health)).toEqual([503, 503, 503]);
    health.progressed();
    expect(codes(health)).toEqual([503, 200, 503]);
  });
  test('a family that was synced is not enough', () => {
    const { health } = fresh();
    health.updated(v4, 0);
    expect(codes(health)).toEqual([503, 200, 503]);
  });
});

describe('after it', () => {
  test('all is well', () => expect(codes(synced().health)).toEqual([200, 200, 200]));
  test('nothing queued means nothing late', async () => {
    const { clock, health } = synced();
    await clock.advance(1e9);
    expect(codes(health)).toEqual([200, 200, 200]);
  });
  test('a change may wait for just under twice the period', async () => {
    const { clock, health } = synced();
    await clock.advance(5_000);
    health.queued(v4);
    await clock.advance(59_999);
    expect(codes(health)).toEqual([200, 200, 200]);
    await clock.advance(1);
    expect(codes(health)).toEqual([503, 503, 503]);
  });
  test('batches that advance do not help then', async () => {
    const { clock, health } = synced();
    health.queued(v4);
    await clock.advance(60_000);
    health.progressed();
    expect(codes(health)).toEqual([503, 503, 503]);
  });
  test('later changes do not hide an old one', async () => {
    const { clock, health } = synced();
    await clock.advance(1);
    health.queued(v4);
    await clock.advance(59_000);
    health.queued(v4);
    await clock.advance(1_000);
    expect(codes(health)).toEqual([503, 503, 503]);
  });
  test('a success clears what was queued before it began', async () => {
    const { clock, health } = synced();
    health.queued(v4);
    await clock.advance(100_000);
    health.updated(v4, clock.now());
    await clock.advance(1e9);
    expect(codes(health)).toEqual([200, 200, 200]);
  });
  test('and not what was queued while it ran', async () => {
    const { clock, health } = synced();
    await clock.advance(10_000);
    health.queued(v4);
    await clock.advance(10_000);
    health.queued(v4);
    health.updated(v4, 15_000);
    await clock.advance(15_000 + 60_000 - clock.now() - 1);
    expect(codes(health)).toEqual([200, 200, 200]);
    await clock.advance(1);
    expect(codes(health)).toEqual([503, 503, 503]);
  });
  test('a success of one family does not clear the other', async () => {
    const { clock, health } = synced();
    health.queued(families);
    await clock.advance(60_000);
    health.updated(v4, clock.now());
    expect(codes(health)).toEqual([503, 503, 503]);
    health.updated(v6, clock.now());
    expect(codes(health)).toEqual([200, 200, 200]);
  });
  test('a family that this node does not have is never late', async () => {
    const { clock, health } = fresh();
    health.updated(v4, 0);
    health.firstSyncDone();
    await clock.advance(1);
    health.queued(families);
    health.updated(v4, 1);
    await clock.advance(1e6);
    expect(codes(health)).toEqual([200, 200, 200]);
  });
});

describe('the node', () => {
  test('on its way out: /healthz fails for load balancers, and nothing else does', () => {
    const { health } = synced();
    health.nodeSeen({ isEligible: false });
    expect(codes(health)).toEqual([503, 200, 200]);
    expect(bodyOf(health.healthz())).toMatchObject({ nodeEligible: false, healthy: true });
  });
  test('never seen: not eligible', () => {
    const health = new ProxyHealth({ clock: manualClock(), syncPeriod: 30_000 });
    health.updated(families, 0);
    health.firstSyncDone();
    expect(codes(health)).toEqual([503, 200, 200]);
  });
});

describe('the body', () => {
  const start = Date.UTC(2025, 0, 1);
  test('has the fields of upstream in their order', async () => {
    const { clock, health } = synced();
    await clock.advance(1_500);
    health.updated(v6, clock.now());
    await clock.advance(500);
    const [now, one, other] = [start + 2_000, start, start + 1_500].map((time) => printTime(time));
    const status = `{"IPv4":{"lastUpdated":"${one}","healthy":true},"IPv6":{"lastUpdated":"${other}","healthy":true}}`;
    const head = `{"lastUpdated":"${now}","currentTime":"${now}"`;
    expect(health.healthz().body).toBe(
      `${head},"nodeEligible":true,"healthy":true,"status":${status}}`,
    );
    expect(health.livez().body).toBe(`${head},"healthy":true,"status":${status}}`);
    expect(health.readyz().body).toBe(health.livez().body);
  });
  test('says when the last real update was if it is late', async () => {
    const { clock, health } = synced();
    await clock.advance(1_000);
    health.updated(v6, clock.now());
    health.queued(v4);
    await clock.advance(60_000);
    expect(bodyOf(health.healthz())).toEqual({
      lastUpdated: printTime(start + 1_000),
      currentTime: printTime(start + 61_000),
      nodeEligible: true,
      healthy: false,
      status: {
        IPv4: { lastUpdated: printTime(start), healthy: false },
        IPv6: { lastUpdated: printTime(start + 1_000), healthy: true },
      },
    });
  });
  test('says the zero time of Go before the first update', () => {
    expect(bodyOf(fresh().health.healthz())).toMatchObject({
      lastUpdated: '0001-01-01T00:00:00Z',
      healthy: false,
      status: {},
    });
  });
});
