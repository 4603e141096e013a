import { describe, expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import type { ExplainedNode } from '../../test/support/explained-node.ts';
import { web } from '../../test/support/explained-web.ts';
import { endpoint } from '../../test/support/objects.ts';
import { stretches } from '../../test/support/stretches.ts';
import { manualClock } from '../runner/manual-clock.ts';
import { type ExplainAnswer, ExplainPages, type ExplainPagesOptions } from './pages.ts';

const question = 'from=10.0.1.9&to=172.30.0.1:80';
const signal = new AbortController().signal;

function pagesOf(node: ExplainedNode, over: Partial<ExplainPagesOptions> = {}): ExplainPages {
  return new ExplainPages({
    clock: manualClock(),
    names: node.names,
    settings: node.desiredSettings,
    open: async () => ({ sources: node.sources, close() {} }),
    notes: async () => [],
    ...over,
  });
}

function asked(pages: ExplainPages, parameters: string): Promise<ExplainAnswer> {
  return pages.answer(new URLSearchParams(parameters), signal);
}

test('the answer is the report of the command, with what the proxy says', async () => {
  const node = await web();
  const notes = async (address: string) => [`drains at ${address}`];
  const pages = pagesOf(node, { notes });
  const report = await node.ask('10.0.1.9', '172.30.0.1:80');
  expect(await asked(pages, question)).toEqual({
    format: 'json',
    body: `${JSON.stringify({ ...report, proxy: ['drains at 172.30.0.1'] }, undefined, 2)}\n`,
  });
  const text = await asked(pages, `${question}&output=text`);
  expect(text).toMatchObject({ format: 'text' });
  expect('body' in text && text.body).toMatch(
    /^TCP 10\.0\.1\.9 → 172\.30\.0\.1:80 in by cni0[^]*drains at 172\.30\.0\.1\n\nYes: .*\n$/,
  );
});

test('empty parameters, as a form sends them, count as not given', async () => {
  const answer = await asked(pagesOf(await web()), `${question}&in=&source-port=+&output=`);
  expect(answer).toMatchObject({ format: 'json' });
});

test.each([
  ['to=172.30.0.1:80', 'from: who sends the packet is missing'],
  ['from=node', 'to: where the packet is sent to is missing'],
  [`${question}&from=node`, 'from is given 2 times'],
  [`${question}&output=yaml`, 'output: must be text or json'],
  [`${question}&shell=1`, 'unknown parameter "shell": there are from, to, in, source-port, output'],
  [`${question}&source-port=0`, 'source-port: "0" is no port'],
  [`${question}&in=a/b`, 'in: is no name of a device'],
  [`${question}&in=..`, 'in: is no name of a device'],
  [`${question}&in=%00`, 'in: is no name of a device'],
  [`from=node&to=${'a'.repeat(521)}`, 'to has more than 520 characters'],
  ['from=nobody&to=node:80', '"nobody" is no FROM'],
  ['from=node&to=svc/shop/none:80', 'there is no Service shop/none'],
  ['from=outside=192.168.0.10&to=node:80', '192.168.0.10 is an address of this node'],
])('%s: %s', async (parameters, problem) => {
  const answer = await asked(pagesOf(await web()), parameters);
  expect('problem' in answer && answer.problem).toContain(problem);
});

describe('what it may cost', () => {
  test('five questions at once and then one every two seconds; those that are none do not count', async () => {
    const clock = manualClock();
    const pages = pagesOf(await web(), { clock });
    for (let count = 0; count < 10; count++) await asked(pages, 'from=node');
    for (let count = 0; count < 5; count++)
      expect(await asked(pages, question)).toMatchObject({ format: 'json' });
    expect(await asked(pages, question)).toEqual({ busyFor: 2_000 });
    await clock.advance(2_000);
    expect(await asked(pages, question)).toMatchObject({ format: 'json' });
    expect(await asked(pages, question)).toEqual({ busyFor: 2_000 });
  });

  test('the kernel is read for one question at a time, and closed after each', async () => {
    const node = await web();
    let open = 0;
    const counts: number[] = [];
    const pages = pagesOf(node, {
      async open() {
        counts.push(++open);
        return { sources: node.sources, close: () => void open-- };
      },
    });
    const bad = 'from=10.0.1.9&to=svc/shop/none:80';
    await Promise.all([question, bad, question].map((parameters) => asked(pages, parameters)));
    expect([counts, open]).toEqual([[1, 1, 1], 0]);
  });

  test('nothing is read for a client that has left before its turn', async () => {
    const node = await web();
    let opened = 0;
    const open = async () => {
      opened++;
      return { sources: node.sources, close() {} };
    };
    const pages = pagesOf(node, { open });
    const left = AbortSignal.abort();
    const answer = await pages.answer(new URLSearchParams(question), left);
    expect([answer, opened]).toEqual([{ format: 'json', body: '' }, 0]);
  });

  test('a virtual server with very many real servers, and very many rules, are left to the command', async () => {
    const many = Array.from({ length: 201 }, (_, index) => endpoint(`10.0.2.${index}`));
    expect(await asked(pagesOf(await web({ endpoints: many })), question)).toEqual({
      problem:
        '201 real servers of 172.30.0.1 are too many to be looked at here (200): ask with kube-proxy explain',
    });
    const node = await web();
    const text = `*raw\n${'#'.repeat(3 * 1024 * 1024)}`;
    node.otherRules.push({ family: 'IPv4', flavour: 'legacy', text });
    const answer = await asked(pagesOf(node), question);
    expect('problem' in answer && answer.problem).toMatch(/^\d+ characters of rules .* too many/);
  });

  test('the event loop turns while addresses, sets and rules are looked at', async () => {
    const node = await web();
    const addresses = Array.from({ length: 20_000 }, (_, index) => ({
      link: 'kube-ipvs0',
      address: ip(`172.31.${index >> 8}.${index & 255}`),
      prefixLength: 32,
    }));
    const rules = Array.from(
      { length: 20_000 },
      (_, index) => `-A OTHER -s 10.9.8.7/32 -p ${index}`,
    );
    const { sources } = node;
    let time = 0;
    const clock = { ...manualClock(), now: () => ++time };
    const open = async () => ({
      sources: {
        ...sources,
        links: {
          names: () => sources.links.names(),
          addresses: async () => [...(await sources.links.addresses()), ...addresses],
        },
        rules: {
          read: async () => [
            ...(await sources.rules.read()),
            {
              family: 'IPv4',
              flavour: 'legacy',
              text: `*raw\n:OTHER - [0:0]\n${rules.join('\n')}`,
            } as const,
          ],
        },
      },
      close() {},
    });
    const pages = pagesOf(node, { clock, open });
    const { longest } = await stretches(
      () => time,
      () => asked(pages, question),
    );
    // Each look at the time takes a millisecond of it, and there is one after each short step.
    expect(time).toBeGreaterThan(200);
    expect(longest).toBeLessThan(20);
  });
});
