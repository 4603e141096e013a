import { expect, test } from 'vitest';
import { minutes } from '../runner/clock.ts';
import { manualClock } from '../runner/manual-clock.ts';
import { ApiError, ConnectionError } from './api/error.ts';
import { ServiceRanges } from './service-ranges.ts';

const path = '/apis/networking.k8s.io/v1/servicecidrs';

function cidrs(...each: readonly (readonly unknown[])[]): unknown {
  return { kind: 'ServiceCIDRList', items: each.map((list) => ({ spec: { cidrs: list } })) };
}

/** Runs it with an API that answers with what `answer` says. */
function start(answer: () => unknown) {
  const clock = manualClock();
  const reported: string[] = [];
  const lines: string[] = [];
  const abort = new AbortController();
  const log = {
    info: (message: string, fields = {}) => void lines.push(`${message} ${JSON.stringify(fields)}`),
    error: () => undefined,
  };
  const client = {
    async get(asked: string) {
      expect(asked).toBe(path);
      const found = answer();
      if (found instanceof Error) throw found;
      return found;
    },
  };
  const onRanges = (ranges: readonly string[]) => void reported.push(ranges.join(' '));
  const ended = new ServiceRanges({ client, clock, log }).run(onRanges, abort.signal);
  return {
    reported,
    lines,
    pass: (milliseconds: number) => clock.advance(milliseconds),
    async stop() {
      abort.abort();
      await ended;
    },
  };
}

const forbidden = new ApiError(path, { status: 403, reason: 'Forbidden' });

test('the networks of all objects are reported, and again when they change', async () => {
  let answer = cidrs(['10.96.0.0/12', 'fd00:96::/108']);
  const { reported, pass, stop } = start(() => answer);
  await pass(0);
  expect(reported).toEqual(['10.96.0.0/12 fd00:96::/108']);
  await pass(minutes(20));
  answer = cidrs(['10.96.0.0/12', 'fd00:96::/108'], ['10.112.0.0/16']);
  await pass(minutes(5));
  expect(reported.slice(1)).toEqual(['10.112.0.0/16 10.96.0.0/12 fd00:96::/108']);
  await stop();
});

test.each([
  ['may not be read', forbidden],
  ['are not known to the server', new ApiError(path, { status: 404 })],
])(
  'objects that %s are none, which is logged once, and asked for again later',
  async (_, error) => {
    let answer: unknown = error;
    const { reported, lines, pass, stop } = start(() => answer);
    await pass(minutes(100));
    expect(reported).toEqual(['']);
    expect(lines).toHaveLength(1);
    answer = cidrs(['10.96.0.0/12']);
    await pass(minutes(30));
    expect(reported).toEqual(['', '10.96.0.0/12']);
    await stop();
  },
);

test.each([
  ['an error of the connection', new ConnectionError(path, { reason: 'ECONNREFUSED' })],
  ['an answer of a gateway', { status: 'ok' }],
  ['a list of another kind', { kind: 'ServiceList', items: [] }],
  ['a list without items', { kind: 'ServiceCIDRList', items: {} }],
  ['a refusal after they were read', forbidden],
])('%s leaves the last ones valid', async (_, error) => {
  let answer: unknown = cidrs(['10.96.0.0/12']);
  const { reported, pass, stop } = start(() => answer);
  await pass(0);
  answer = error;
  await pass(minutes(100));
  expect(reported).toEqual(['10.96.0.0/12']);
  await stop();
});

test('while nothing answers at first nothing is reported, and it is tried again soon', async () => {
  let answer: unknown = new ConnectionError(path, { reason: 'ECONNREFUSED' });
  const { reported, pass, stop } = start(() => answer);
  await pass(0);
  answer = cidrs(['10.96.0.0/12']);
  expect(reported).toEqual([]);
  await pass(1_000);
  expect(reported).toEqual(['10.96.0.0/12']);
  await stop();
});

test('what is no text in an object is left out, and of more than 64 networks the rest', async () => {
  const many = Array.from({ length: 100 }, (_, index) => `10.${index}.0.0/16`);
  const { reported, pass, stop } = start(() => ({
    kind: 'ServiceCIDRList',
    items: [null, {}, { spec: { cidrs: 'x' } }, { spec: { cidrs: [7, ...many] } }],
  }));
  await pass(0);
  expect(reported[0]?.split(' ')).toHaveLength(64);
  await stop();
});
