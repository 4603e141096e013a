import { describe, expect, test } from 'vitest';
import { readQuery, wholeQuery } from './query.ts';

describe('parameters', () => {
  test.each([
    ['', {}],
    ['namespace=shop&name=web', { namespace: 'shop', name: 'web' }],
    ['address=10.0.0.1', { address: '10.0.0.1' }],
    ['address=FD00:0::1', { address: 'fd00::1' }],
    ['limit=500', { limit: 500 }],
    ['continue=shop/web', { after: 'shop/web' }],
    ['continue=/', { after: '/' }],
    ['connections=1', { connections: true }],
    ['connections=0', { connections: false }],
  ])('%j', (text, expected) => {
    expect(readQuery(new URLSearchParams(text))).toEqual({ ...wholeQuery, ...expected });
  });
});

describe('what is none', () => {
  test.each([
    ['bogus=1', 'unknown parameter "bogus": there are namespace, name, address, limit,'],
    ['__proto__=1', 'unknown parameter "__proto__"'],
    ['constructor=1', 'unknown parameter "constructor"'],
    ['namespace=', 'namespace: "" is not the name of a namespace'],
    ['namespace=a/b', 'namespace: "a/b" is not'],
    ['name=Web', 'name: "Web" is not the name of a Service'],
    [`name=${'x'.repeat(254)}`, 'is not the name of a Service'],
    ['address=10.0.0.256', 'address: "10.0.0.256" is not an IP address'],
    ['limit=0', 'limit: "0" is not a number of Services from 1 to 500'],
    ['limit=501', 'limit: "501" is not'],
    ['limit=1e2', 'limit: "1e2" is not'],
    ['limit=-1', 'limit: "-1" is not'],
    ['continue=web', 'continue: "web" is not what the page before has as continue'],
    [`continue=a/${'x'.repeat(520)}`, 'is not what the page before has'],
    ['connections=yes', 'connections: "yes" is not 0 or 1'],
    ['limit=1&limit=2', 'limit is given 2 times'],
    ['limit=x&name=Y', 'limit: "x" is not a number of Services from 1 to 500; name: "Y"'],
  ])('%s', (text, problem) => {
    expect(readQuery(new URLSearchParams(text))).toEqual({
      problem: expect.stringContaining(problem) as string,
    });
  });

  test('not more of it is said than anybody reads', () => {
    const text = Array.from({ length: 99 }, (_, index) => `${index}${'x'.repeat(99)}=`).join('&');
    const answer = readQuery(new URLSearchParams(text));
    expect('problem' in answer && answer.problem.length).toBeLessThan(1_000);
  });
});
