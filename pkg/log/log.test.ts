import { describe, expect, test, vi } from 'vitest';
import { type Logger, loggerTo } from './log.ts';
import { recordingLogger, silentLogger } from './memory.ts';
import { jsonSink, textSink } from './sink.ts';

const time = new Date(2026, 10, 21, 4, 5, 6, 78).getTime();

/** A logger that writes to memory in one of the two formats. */
function written(format: 'text' | 'json', verbosity = 2) {
  const lines: string[] = [];
  const output = { write: (line: string) => lines.push(line) };
  const sink = format === 'json' ? jsonSink(output) : textSink(output);
  return { log: loggerTo(sink, { verbosity, now: () => time }), lines };
}

describe('text', () => {
  const head = `1121 04:05:06.078000 ${String(process.pid).padStart(7)} kube-proxy]`;

  test('a message looks as klog prints it', () => {
    const { log, lines } = written('text');
    log.info('first sync done', { services: 3, mode: 'ipvs', isFirst: true });
    expect(lines).toEqual([`I${head} "first sync done" services=3 mode="ipvs" isFirst=true\n`]);
  });

  test('the first letter is the severity', () => {
    const { log, lines } = written('text');
    log.warn('a');
    log.error('b');
    expect(lines).toEqual([`W${head} "a"\n`, `E${head} "b"\n`]);
  });

  test('an error stands before the fields', () => {
    const { log, lines } = written('text');
    log.error('could not sync', new Error('ENOENT'), { service: 'shop/cart' });
    expect(lines).toEqual([`E${head} "could not sync" err="ENOENT" service="shop/cart"\n`]);
  });

  test.each([
    ['a line break', 'a\nI1121 forged', String.raw`"a\nI1121 forged"`],
    ['a quote', 'say "x"', String.raw`"say \"x\""`],
    ['an escape sequence of terminals', '\u001b[31m\u009b', String.raw`"\u001b[31m\u009b"`],
    ['a line separator', 'a\u2028b', String.raw`"a\u2028b"`],
    ['a big number', 12n, '12n'],
    ['an object', { port: 80, name: 'a\nb' }, String.raw`{ port: 80, name: 'a\nb' }`],
    ['nothing', null, 'null'],
  ])('%s stays on the line', (_name, value, expected) => {
    const { log, lines } = written('text');
    log.info('m', { value });
    expect(lines).toEqual([`I${head} "m" value=${expected}\n`]);
  });

  test('an object that holds itself is printed all the same', () => {
    const { log, lines } = written('text');
    const loop: { self?: object } = {};
    loop.self = loop;
    log.info('m', { loop });
    expect(lines.join('').split('\n')).toHaveLength(2);
  });

  test('a field without a value is left out', () => {
    const { log, lines } = written('text');
    log.info('m', { absent: undefined });
    expect(lines).toEqual([`I${head} "m"\n`]);
  });
});

describe('json', () => {
  test('a message is one object with the names of Kubernetes', () => {
    const { log, lines } = written('json');
    log.v(2)?.info('hello', { count: 12n });
    log.warn('careful');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { level: 'info', ts: time, v: 2, msg: 'hello', count: 12 },
      { level: 'warn', ts: time, v: 0, msg: 'careful' },
    ]);
  });

  test('an error is one sentence', () => {
    const { log, lines } = written('json');
    log.error('no', new Error('outer', { cause: new Error('inner') }));
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'error', err: 'outer: inner' });
  });
});

describe('a line is short, whatever it holds', () => {
  const long = 'x'.repeat(10_000_000);
  const many = Array.from({ length: 100_000 }, (_, index) => [`key${index}`, { long }] as const);
  const several = Array.from({ length: 10_000 }, () => new Error(long.slice(0, 1000)));
  const cases: readonly (readonly [string, (log: Logger) => void])[] = [
    ['a message', (log) => log.info(long)],
    ['an error', (log) => log.error('m', new Error(long, { cause: new Error(`${long}y`) }))],
    ['many errors', (log) => log.error('m', new AggregateError(several))],
    ['something thrown', (log) => log.error('m', { long, many })],
    ['a field', (log) => log.info('m', { long })],
    ['a field that is an error', (log) => log.info('m', { error: new Error(long) })],
    ['a large array', (log) => log.info('m', { array: many.map(() => long) })],
    ['a large object', (log) => log.info('m', { object: Object.fromEntries(many) })],
    ['many fields', (log) => log.info('m', Object.fromEntries(many.slice(0, 10_000)))],
    [
      'characters that are escaped',
      (log) => log.error('\u0001'.repeat(9999), '\u0001'.repeat(9999)),
    ],
    ['characters of several bytes', (log) => log.error('é😀'.repeat(9999), '語'.repeat(9999))],
  ];

  test.each(cases)('in text: %s', (_name, say) => {
    const { log, lines } = written('text');
    say(log);
    expect(Buffer.byteLength(lines.join(''))).toBeLessThanOrEqual(4096);
    expect(lines.join('')).toMatch(/^[IE]\d{4} .*\n$/);
  });

  test.each(cases)('in JSON, which it remains: %s', (_name, say) => {
    const { log, lines } = written('json');
    say(log);
    expect(Buffer.byteLength(lines.join(''))).toBeLessThanOrEqual(4096);
    expect(JSON.parse(lines.join(''))).toMatchObject({ ts: time });
  });
});

describe('levels', () => {
  test('a level above the verbosity has no logger, so its arguments are not computed', () => {
    const { log, lines } = written('text', 2);
    const costly = vi.fn(() => 'text');
    log.v(3)?.info(costly());
    expect(costly).not.toHaveBeenCalled();
    expect(lines).toEqual([]);
    expect(log.v(2)).toBeDefined();
  });

  test('a changed verbosity counts for loggers made before', () => {
    const { log } = written('text', 2);
    const child = log.with({ family: 'IPv6' });
    log.setVerbosity(4);
    expect(child.v(4)).toBeDefined();
    log.setVerbosity(0);
    expect(child.v(4)).toBeUndefined();
    expect(child.v(0)).toBeDefined();
  });
});

describe('fields', () => {
  test('a child repeats its fields, the message has the last word', () => {
    const log = recordingLogger();
    const child = log.with({ family: 'IPv4', service: 'a' }).with({ port: 80 });
    child.v(4)?.info('m', { service: 'b' });
    log.info('plain');
    expect(log.lines()).toEqual(['info m {"family":"IPv4","service":"b","port":80}', 'info plain']);
    expect(log.records.map(({ level }) => level)).toEqual([4, 0]);
  });
});

test('the silent logger wants nothing, not even to build a message', () => {
  expect(silentLogger.v(0)).toBeUndefined();
});

test('a sink that throws is nothing to those that log', () => {
  const log = loggerTo(
    () => {
      throw new Error('no space left');
    },
    { verbosity: 0 },
  );
  expect(() => log.error('could not sync', new Error('ENOENT'))).not.toThrow();
});
