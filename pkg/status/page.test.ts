import { createHash } from 'node:crypto';
import { Script } from 'node:vm';
import { expect, test } from 'vitest';
import { statusPage } from './page.ts';

const { html, contentSecurityPolicy } = statusPage();

/** The text of the only element of a kind. */
function contentOf(name: string): string {
  const found = [...html.matchAll(new RegExp(`<${name}>([^]*?)</${name}>`, 'g'))];
  expect(found).toHaveLength(1);
  return found[0]?.[1] ?? '';
}

test.each(['style', 'script'])('the policy allows the %s of the page, and no other', (name) => {
  const hash = createHash('sha256').update(contentOf(name)).digest('base64');
  expect(contentSecurityPolicy).toContain(`${name}-src 'sha256-${hash}';`);
});

test('the policy allows nothing but that and asking the same server', () => {
  const policy = contentSecurityPolicy.replaceAll(/'sha256-[^']+'/g, 'HASH').split('; ');
  expect(policy).toEqual([
    "default-src 'none'",
    'style-src HASH',
    'script-src HASH',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]);
});

test('the page names no other server, and loads nothing', () => {
  const addresses = html.match(/https?:[^\s'"]*/g);
  expect(addresses).toEqual(['http://www.w3.org/2000/svg']);
  expect(html).not.toMatch(/\s(?:src|href|style|on\w+)=/);
  expect(html).not.toMatch(/@import|url\(/);
});

test('no text becomes HTML or a program', () => {
  const script = contentOf('script');
  expect(script).not.toMatch(
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(/,
  );
  expect(() => new Script(script)).not.toThrow();
});
