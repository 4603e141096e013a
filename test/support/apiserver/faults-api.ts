import type { ServerResponse } from 'node:http';
import { answerJson } from './answer.ts';
import type { Context } from './context.ts';
import type { Injection } from './faults.ts';
import { isRecord, type Json } from './objects.ts';
import { parseBody } from './patch.ts';
import type { ApiRequest } from './request.ts';
import { badRequest, methodNotAllowed } from './status.ts';

/**
 * `/faults`, for tests that run in another process. GET tells what was asked of the server; DELETE clears all faults;
 * POST takes any of `{"inject": {"effect": …, "match": …, "times": 1}}`, `{"break": {"how": "mid-event"}}`,
 * `{"bookmark": true}`, `{"compact": true}`, `{"pause": true}` and the switches of {@link Faults} by their names.
 */
export function serveFaults(
  context: Context,
  call: { request: ApiRequest; body: string },
  response: ServerResponse,
): void {
  const { faults, log, registry } = context;
  if (call.request.method === 'DELETE') faults.clear();
  else if (call.request.method === 'POST') obey(context, parseBody(call.body));
  else if (call.request.method !== 'GET') throw methodNotAllowed();
  answerJson(response, 200, {
    revision: registry.store.revision,
    requests: log.summary(),
    openWatches: log
      .openWatches()
      .map(
        ({ resource, remotePort, query }) =>
          `${resource?.plural} ${remotePort} ${query.toString()}`,
      ),
    faults: switchesOf(context),
  });
}

const switches = [
  'hasBookmarks',
  'hasInitialEvents',
  'hasDuplicateEvents',
  'isExpiryStatus',
] as const;

function switchesOf({ faults }: Context): Json {
  return Object.fromEntries([
    ...switches.map((name) => [name, faults[name]]),
    ['isPaused', faults.isPaused],
  ]);
}

function obey({ faults, registry }: Context, order: unknown): void {
  if (!isRecord(order)) throw badRequest('an object is wanted');
  for (const [name, value] of Object.entries(order)) {
    const known = switches.find((candidate) => candidate === name);
    if (known !== undefined) faults[known] = value === true;
    else if (name === 'inject')
      faults.inject(value as Injection); // whoever writes tests knows what it takes
    else if (name === 'break')
      faults.breakWatches(value as Parameters<typeof faults.breakWatches>[0]); // the same
    else if (name === 'bookmark') faults.sendBookmarks();
    else if (name === 'compact') registry.store.compact();
    else if (name === 'pause' && value === true) faults.pauseWatches();
    else if (name === 'pause') faults.resumeWatches();
    else throw badRequest(`unknown field "${name}"`);
  }
}
