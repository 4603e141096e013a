import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { defaults } from '../../pkg/config/fields.ts';
import { ip } from '../support/addresses.ts';
import { AssembledProgram } from '../support/assembled-program.ts';
import { ChromiumPage, inChromium } from '../support/chromium.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { setService, setSlice } from '../support/proxier.ts';

// Everything on the status page is reached and used by keyboard alone, in headless Chromium.

/** As many Services as a page has, and three more, in the order of the page. */
const names = Array.from({ length: 103 }, (_, index) => `web-${String(index).padStart(3, '0')}`);

/** What has the focus, in one word; it must be shown that it has it. */
const focus = `(() => {
  const { activeElement: one } = document;
  if (one === document.body) return 'nothing';
  const isShown = one.matches(':focus-visible') && getComputedStyle(one).outlineStyle !== 'none';
  const name = one.name || one.id || one.querySelector('.name')?.textContent || one.textContent;
  return isShown ? name : name + ', and does not show it';
})()`;

/** The names of the Services that are shown. */
const shown = `[...document.querySelectorAll('summary .name')].map((one) => one.textContent)`;

inChromium(() => {
  let program: AssembledProgram;
  let url: string;

  beforeAll(async () => {
    program = await AssembledProgram.start(effective(defaults, 'worker-1'));
    for (const [index, name] of names.entries())
      program.report(
        setService(service({ name, clusterIPs: [ip(`172.30.0.${index + 1}`)] })),
        setSlice(slice([endpoint('10.0.0.1')], { name: `${name}-1`, serviceName: name })),
      );
    await program.sync();
    url = `${await program.url('metrics server')}/debug/ipvs/`;
  });

  afterAll(() => program.stop());

  async function opened(): Promise<ChromiumPage> {
    const page = await ChromiumPage.open(url);
    onTestFinished(() => page.close());
    await page.until(`${shown}.length === 100`);
    return page;
  }

  /** Presses Tab until something has the focus, and returns everything that had it on the way. */
  async function tabTo(page: ChromiumPage, wanted: string): Promise<readonly string[]> {
    const passed: string[] = [];
    for (let presses = 0; presses < 130; presses++) {
      await page.press('Tab');
      const found = String(await page.valueOf(focus));
      passed.push(found);
      if (found === wanted) return passed;
    }
    throw new Error(`no ${wanted} in ${passed.join(', ')}`);
  }

  test('Tab reaches every control once, in the order of the page, and shows where it is', async () => {
    const page = await opened();
    expect(await tabTo(page, 'Explain')).toEqual([
      ...['namespace', 'name', 'address', 'connections', 'Show'],
      ...names.slice(0, 100).map((name) => `shop/${name}`),
      ...['next', 'from', 'to', 'in', 'source-port', 'Explain'],
    ]);
  });

  test('search: typed and sent with Enter', async () => {
    const page = await opened();
    await tabTo(page, 'name');
    await page.type('web-102');
    await page.press('Enter');
    await page.until(`${shown}.join() === 'shop/web-102'`);
    expect(await page.valueOf(focus)).toBe('name');
  });

  test('a Service: opened and closed with Enter or Space', async () => {
    const page = await opened();
    await tabTo(page, 'shop/web-000');
    const table = `document.querySelector('details[open] table caption')?.textContent ?? ''`;
    for (const key of ['Enter', 'Space'] as const) {
      await page.press(key);
      await page.until(`${table}.startsWith('172.30.0.1:80/TCP')`);
      await page.press(key);
      await page.until(`${table} === ''`);
    }
  });

  test('pages: forth and back, and the focus stays among the buttons', async () => {
    const page = await opened();
    await tabTo(page, 'next');
    await page.press('Enter');
    await page.until(`${shown}.length === 3`);
    expect(await page.valueOf(shown)).toEqual(names.slice(100).map((name) => `shop/${name}`));
    await page.press('Tab', { shift: true });
    expect(await page.valueOf(focus)).toBe('first');
    await page.press('Enter');
    await page.until(`${shown}.length === 100`);
    await page.press('Tab');
    expect(await page.valueOf(focus)).toBe('next');
  });

  test('the form: filled and sent, and its answer scrolled', async () => {
    const page = await opened();
    await tabTo(page, 'from');
    await page.type('node');
    await page.press('Tab');
    await page.type('svc/shop/web-007:80');
    await tabTo(page, 'Explain');
    await page.press('Space');
    await page.until(`document.getElementById('verdict').textContent.startsWith('Yes: ')`);
    expect(await page.valueOf(focus)).toBe('Explain');
    await page.press('Tab');
    expect(await page.valueOf(focus)).toBe('explanation');
  });
});
