import { expect, test } from 'vitest';
import { LabelledHistogram } from './histogram.ts';

const row = {
  type: 'histogram',
  name: 'work_seconds',
  help: 'How long work took',
  labels: ['stage', 'kind'],
  buckets: [0.1, 1],
} as const;

async function lines(histogram: LabelledHistogram): Promise<readonly string[]> {
  const { values = [] } = (await histogram.registered.get()) as unknown as {
    values?: { metricName: string; labels: object; value: number }[];
  };
  return values.map(
    ({ metricName, labels, value }) => `${metricName} ${JSON.stringify(labels)} ${value}`,
  );
}

test('a value on a bound belongs to its bucket, one above all to +Inf', async () => {
  const histogram = new LabelledHistogram({ ...row, labels: [] });
  for (const value of [0, 0.1, 0.2, 1, 2, Number.POSITIVE_INFINITY]) histogram.observe({}, value);
  expect(await lines(histogram)).toEqual([
    'work_seconds_bucket {"le":0.1} 2',
    'work_seconds_bucket {"le":1} 4',
    'work_seconds_bucket {"le":"+Inf"} 6',
    'work_seconds_sum {} Infinity',
    'work_seconds_count {} 6',
  ]);
});

test('what is no number is not counted and does not spoil the sum', async () => {
  const histogram = new LabelledHistogram({ ...row, labels: [] });
  histogram.observe({}, Number.NaN);
  expect(await lines(histogram)).toContain('work_seconds_sum {} 0');
  expect(await lines(histogram)).toContain('work_seconds_count {} 0');
});

test('a series that was asked for is the one that its labels lead to, in any order', async () => {
  const histogram = new LabelledHistogram(row);
  const series = histogram.series({ stage: 'plan', kind: 'a' });
  series.observe(0.5);
  histogram.observe({ kind: 'a', stage: 'plan' }, 0.5);
  expect(histogram.series({ kind: 'a', stage: 'plan' })).toBe(series);
  expect(await lines(histogram)).toContain('work_seconds_count {"stage":"plan","kind":"a"} 2');
});

test('without labels it is exposed from the start, with labels when they are known', async () => {
  expect(await lines(new LabelledHistogram({ ...row, labels: [] }))).toHaveLength(5);
  expect(await lines(new LabelledHistogram(row))).toEqual([]);
});
