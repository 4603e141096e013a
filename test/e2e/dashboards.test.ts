import { type ApiServer, startApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AskedSeries, mixin } from '../fixtures/kubernetes-mixin.ts';
import { service, slice } from '../support/kube/objects.ts';
import { ProgramParts } from '../support/kube/program-parts.ts';

// The program's parts at work, scraped: the dashboard and the alerts that everybody has find what they ask for.

let server: ApiServer;
let parts: ProgramParts;

beforeAll(async () => {
  server = await startApiServer();
  // Twice, as a slow machine may give up on an answer and count no code.
  for (const code of [301, 404, 500])
    server.faults.inject({ effect: { kind: 'status', code }, times: 2 });
  parts = await ProgramParts.start(server);
  server.create(service('web'));
  const web = slice('web');
  // An hour from now, as causes from before the start do not count.
  const time = new Date(Date.now() + 3_600_000).toISOString();
  const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': time };
  server.create({ ...web, metadata: { ...web.metadata, annotations } });
});

afterAll(async () => {
  await parts[Symbol.asyncDispose]();
  await server.close();
});

/** Whether a scrape shows a series with such labels. */
async function isExposed({ series, labels }: AskedSeries): Promise<boolean> {
  const text = await parts.metrics.exposition.text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${series}{`) || line.startsWith(`${series} `))
    .some((line) =>
      Object.entries(labels).every(([label, pattern]) => {
        const [, value] = new RegExp(`[{,]${label}="([^"]*)"`).exec(line) ?? [];
        return value !== undefined && pattern.test(value);
      }),
    );
}

const missing = ['go_goroutines'];

test.each(mixin.filter(({ series }) => !missing.includes(series)))(
  'kubernetes-mixin, $panel: $series $labels',
  async (asked) => {
    await expect.poll(() => isExposed(asked)).toBe(true);
  },
);

test.each(mixin.filter(({ series }) => missing.includes(series)))(
  'kubernetes-mixin, $panel: there is no $series, as Node has nothing of the kind',
  async (asked) => {
    expect(await isExposed(asked)).toBe(false);
  },
);
