import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { encodeProfile, type Frame, type Profile } from './pprof.ts';
import { startProfiler } from './profiler.ts';
import { cpuProfile, heapProfile } from './v8.ts';

/** The fields of a message by number, as pprof reads it: numbers, and everything else as bytes. */
function fields(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const found = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte % 128) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const length = tag % 8 === 2 ? varint() : 0;
    const value = tag % 8 === 2 ? bytes.subarray(at, at + length) : varint();
    at += length;
    found.set(Math.floor(tag / 8), [...(found.get(Math.floor(tag / 8)) ?? []), value]);
  }
  return found;
}

function texts(profile: Uint8Array): readonly string[] {
  return (fields(profile).get(6) ?? []).map((bytes) => Buffer.from(bytes as Uint8Array).toString());
}

function frame(functionName: string, lineNumber = 0): Frame {
  return { functionName, url: 'file:///kube-proxy.mjs', lineNumber };
}

const small: Profile = {
  types: [{ type: 'cpu', unit: 'nanoseconds' }],
  samples: [
    { stack: [frame('plan', 9), frame('sync', 4)], values: [3_000_000_000] },
    { stack: [frame('sync', 4)], values: [5] },
  ],
  period: { type: { type: 'cpu', unit: 'nanoseconds' }, value: 10_000_000 },
  time: Date.UTC(2025, 0, 1),
  duration: 1_500,
};

describe('a profile in the words of profile.proto', () => {
  const encoded = fields(encodeProfile(small));

  test('has each text once, the empty one first', () => {
    const all = texts(encodeProfile(small));
    expect(all[0]).toBe('');
    expect(new Set(all).size).toBe(all.length);
    expect(all).toEqual(expect.arrayContaining(['cpu', 'nanoseconds', 'plan', 'sync']));
  });
  test('has each function and its place once', () => {
    expect(encoded.get(4)).toHaveLength(2);
    expect(encoded.get(5)).toHaveLength(2);
  });
  test('has its samples with whole values', () => {
    const [first] = encoded.get(2) ?? [];
    const sample = fields(first as Uint8Array);
    expect(sample.get(1)).toEqual([Buffer.from([1, 2])]);
    expect(fields(Uint8Array.of(8, ...(sample.get(2)?.[0] as Uint8Array))).get(1)).toEqual([
      3_000_000_000,
    ]);
  });
  test('has time and duration in nanoseconds', () => {
    expect(encoded.get(9)).toEqual([Date.UTC(2025, 0, 1) * 1e6]);
    expect(encoded.get(10)).toEqual([1.5e9]);
  });
});

describe('of V8', () => {
  const node = (id: number, name: string, children: number[] = []) => ({
    id,
    callFrame: { ...frame(name), scriptId: '1', columnNumber: 0 },
    children,
  });

  test('time is summed up by stack, and idle time is none', () => {
    const profile = {
      nodes: [node(1, '(root)', [2, 3]), node(2, '(idle)'), node(3, 'sync', [4]), node(4, 'plan')],
      samples: [4, 2, 4, 3, 99],
      timeDeltas: [10, 1_000, -5, 7, 1],
      startTime: 0,
      endTime: 2_000,
    };
    const { samples, duration } = cpuProfile(profile, { interval: 10_000, time: 0 });
    const named = samples.map(({ stack, values }) => [
      stack.map(({ functionName }) => functionName).join(' < '),
      values,
    ]);
    expect(named).toEqual([
      ['sync', [1, 7_000]],
      ['plan < sync', [2, 10_000]],
    ]);
    expect(duration).toBe(2);
  });
  test('what lives is summed up by who allocated it', () => {
    const leaf = { ...node(3, 'plan'), selfSize: 4_096, children: [] };
    const middle = { ...node(2, 'sync'), selfSize: 0, children: [leaf] };
    const head = { ...node(1, '(root)'), selfSize: 0, children: [middle] };
    const samples = [{ nodeId: 3 }, { nodeId: 3 }];
    const profile = heapProfile({ head, samples }, { interval: 512, time: 0 });
    expect(profile.samples.map(({ values }) => values)).toEqual([[2, 4_096]]);
    expect(profile.samples[0]?.stack.map(({ functionName }) => functionName)).toEqual([
      'plan',
      'sync',
    ]);
  });
  test('this process can be watched, once at a time', async () => {
    const { promise: over, resolve: end } = Promise.withResolvers<void>();
    const profiler = await startProfiler({ wallClock: () => 0, pause: () => over });
    const { signal } = new AbortController();
    const first = profiler.cpu(1_000, signal);
    expect(await profiler.cpu(1_000, signal)).toBe('busy');
    end();
    const file = await first;
    if (file === 'busy') throw new Error('busy');
    expect(texts(gunzipSync(file))).toEqual(expect.arrayContaining(['samples', 'cpu']));
    expect(texts(gunzipSync(await profiler.heap()))).toEqual(
      expect.arrayContaining(['inuse_objects', 'inuse_space']),
    );
    expect(await profiler.cpu(1, signal)).not.toBe('busy');
  });
});
