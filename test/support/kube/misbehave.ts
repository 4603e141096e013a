import { writeFileSync } from 'node:fs';
import type { ApiServer } from '@kube-proxy-ipvs/test-apiserver';
import type { Effect } from '@kube-proxy-ipvs/test-apiserver/faults';
import type { Dice } from './dice.ts';

/** One fault of an API server, or the end of some; the token in a file stays a valid one. */
export async function misbehave(
  server: ApiServer,
  { dice, tokenFile }: { dice: Dice; tokenFile: string },
): Promise<void> {
  const { faults, credentials } = server;
  const effects: readonly [Effect, ...Effect[]] = [
    { kind: 'status', code: dice.pick([400, 403, 410, 422, 500, 503, 504]) },
    { kind: 'status', code: 429, retryAfter: 1 + dice.below(3) },
    { kind: 'body', code: 200, contentType: 'text/html', body: '<html>' },
    {
      kind: 'body',
      code: 200,
      contentType: 'application/json',
      body: '{"metadata":{},"items":[{"metadata"',
    },
    { kind: 'delay', milliseconds: dice.below(20) },
    { kind: 'hang' },
    { kind: 'reset' },
    { kind: 'cut', afterEvents: dice.below(6), how: dice.pick(['end', 'reset', 'mid-event']) },
    {
      kind: 'error event',
      afterEvents: dice.below(6),
      code: dice.pick([410, 500]),
      reason: 'Expired',
      message: 'x',
    },
  ];
  const faultsToPick: readonly [() => unknown, ...(() => unknown)[]] = [
    () => faults.inject({ effect: dice.pick(effects), times: 1 + dice.below(4) }),
    () =>
      faults.inject({
        effect: dice.pick(effects),
        match: { verb: dice.pick(['list', 'watch']) },
        times: 1 + dice.below(2),
      }),
    () =>
      faults.breakWatches({
        how: dice.pick(['end', 'reset', 'mid-event']),
        at: dice.pick(['now', 'next event']),
      }),
    () => server.compact(),
    () => server.stop(),
    () => server.listen(),
    () => server.listen(),
    () => (faults.isExpiryStatus = dice.below(2) === 0),
    () => (faults.hasInitialEvents = dice.below(2) === 0),
    () => (faults.hasBookmarks = dice.below(2) === 0),
    () => (faults.hasDuplicateEvents = dice.below(2) === 0),
    () => (dice.below(2) === 0 ? faults.pauseWatches() : faults.resumeWatches()),
    () => {
      const old = credentials.any();
      const fresh = credentials.add('proxy');
      credentials.expire(old);
      writeFileSync(tokenFile, fresh);
    },
  ];
  await dice.pick(faultsToPick)();
}

/** Some turns of the event loop, and the packets that come in them. */
export async function passTime(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
}
