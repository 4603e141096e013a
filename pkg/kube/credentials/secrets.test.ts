import { describe, expect, test } from 'vitest';
import { Secrets } from './secrets.ts';

const token = 'eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlIn0.c2lnbmF0dXJl-_x';
const basic = `Basic ${Buffer.from('me:correct horse').toString('base64')}`;

function secrets(authorization = `Bearer ${token}`, server = 'https://me:hush-hush@api'): Secrets {
  const known = new Secrets();
  known.note({ headers: { authorization } }, new URL(server));
  return known;
}

describe('what is hidden', () => {
  test.each([
    ['a token', `seen ${token}, refused`, 'seen (hidden), refused'],
    ['a header', `"authorization":"Bearer ${token}"`, '"authorization":"Bearer (hidden)"'],
    ['a token that was cut', `seen ${token.slice(0, 30)}…`, 'seen (hidden)…'],
    ["somebody else's header", 'bearer 0123456789abcdef0123456789', 'bearer (hidden)'],
    ["the server's password", 'https://me:hush-hush@api', 'https://me:(hidden)@api'],
    [
      'nothing in ordinary words',
      'needs a bearer token or basic auth',
      'needs a bearer token or basic auth',
    ],
  ])('%s', (_name, text, expected) => {
    expect(secrets().hide(text)).toBe(expected);
  });

  test('a password, encoded or not', () => {
    const text = `${basic} is "me:correct horse"`;
    expect(secrets(basic).hide(text)).toBe('Basic (hidden) is "me:(hidden)"');
  });

  test('the last ones too, after a rotation, but not all that ever were', () => {
    const known = new Secrets();
    const server = new URL('https://api');
    const tokenOf = (index: number) => `token${index}`.padEnd(12, 'x');
    for (let index = 0; index < 20; index++)
      known.note({ headers: { authorization: `Bearer ${tokenOf(index)}` } }, server);
    expect(known.hide(tokenOf(4))).toBe('(hidden)');
    expect(known.hide(tokenOf(3))).toBe(tokenOf(3));
  });
});

test('an error and its causes keep what else they say', () => {
  const cause = new Error(`header ${token}`);
  const error = secrets().hideIn(new TypeError(`no ${token}`, { cause })) as Error;
  expect([error.name, error.message, cause.message]).toEqual([
    'TypeError',
    'no (hidden)',
    'header (hidden)',
  ]);
  expect(`${error.stack}${cause.stack}`).not.toContain('eyJ');
});

test('what is no error, or cannot be changed, stays', () => {
  const reason = new DOMException(`aborted ${token}`);
  expect(secrets().hideIn(reason)).toBe(reason);
  expect(secrets().hideIn('text')).toBe('text');
});
