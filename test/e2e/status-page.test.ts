import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { defaults } from '../../pkg/config/fields.ts';
import { ip } from '../support/addresses.ts';
import { AssembledProgram } from '../support/assembled-program.ts';
import { ChromiumPage, chromium, headless, inChromium } from '../support/chromium.ts';
import { endpoint, service, slice } from '../support/objects.ts';
import { setService, setSlice } from '../support/proxier.ts';

// The status page in headless Chromium, as the whole program serves it on a kernel in memory.

const run = promisify(execFile);
const dying = { ready: false, serving: false, terminating: true };
const hostile = '<img src=x onerror=document.title=1>';

inChromium(() => {
  const pictures = 'node_modules/.cache/screenshots';
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
  let program: AssembledProgram;
  let url: string;

  beforeAll(async () => {
    mkdirSync(pictures, { recursive: true });
    program = await AssembledProgram.start(effective(defaults, 'worker-1'));
    const web = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;
    program.report(
      setService(service()),
      setSlice(slice([endpoint('10.0.0.1'), endpoint('10.0.0.2')])),
      setService(service({ name: hostile, clusterIPs: [ip('172.30.0.2')] })),
    );
    await program.sync();
    program.kernel.ipvs.write([{ kind: 'deleteVirtualServer', virtualServer: web }]);
    await program.clock.advance(30_000);
    const counters = { activeConnections: 1 };
    program.kernel.ipvs.setCounters(web, { address: ip('10.0.0.2'), port: 8080 }, counters);
    program.report(setSlice(slice([endpoint('10.0.0.1'), endpoint('10.0.0.2', dying)])));
    await program.clock.advance(0);
    url = `${await program.url('metrics server')}/debug/ipvs/`;
  });

  afterAll(async () => {
    await program.stop();
    rmSync(profile, { recursive: true });
  });

  /** Opens the page, and returns what Chromium printed. */
  async function opened(flags: readonly string[], fragment = ''): Promise<string> {
    const argv = [...headless, `--user-data-dir=${profile}`];
    const waiting = ['--virtual-time-budget=4000', '--window-size=1200,900'];
    const { stdout } = await run(chromium, [...argv, ...waiting, ...flags, url + fragment]);
    return stdout;
  }

  test('Services are shown with their health, and names of others are text', async () => {
    const html = await opened(['--dump-dom']);
    expect(html).toContain('<title>worker-1 – kube-proxy</title>');
    expect(html).toMatch(/2 Services, 0 failing, 0 conflicts, 1 draining/);
    expect(html).toMatch(/<span class="health good">drains<\/span><span class="name">shop\/web</);
    expect(html).toContain(
      '<span class="name">shop/&lt;img src=x onerror=document.title=1&gt;</span>',
    );
    expect(html).toMatch(/<svg id="drift"[^>]*><rect /);
    expect(html).toContain('ago: +vs 172.30.0.1:80/TCP rr</li>');
    expect(html).toContain('<p id="problem" class="bad" role="alert"></p>');
  });

  test('a link opens one Service, and shows why a real server drains and for how long still', async () => {
    const html = await opened(['--dump-dom'], '#shop/web');
    expect(html).not.toContain('onerror=document');
    expect(html).toContain('172.30.0.1:80/TCP (port 80), clusterIP, rr, served</caption>');
    expect(html).toMatch(
      /<td>10\.0\.0\.2:8080<\/td>.*<td class="warn">draining<\/td><td><span>its pod terminates, <\/span><span [^>]*>for \d+s, 14m\d+s at most<\/span>/,
    );
  });

  test('a question is answered on the page, and what the answer says is text', async () => {
    const page = await ChromiumPage.open(url);
    onTestFinished(() => page.close());
    await page.valueOf(`document.querySelector('#question [name=from]').focus()`);
    await page.type('node');
    await page.press('Tab');
    await page.type('svc/shop/web:80');
    await page.press('Enter');
    await page.until(`document.getElementById('verdict').textContent !== ''`);
    expect(await page.valueOf(`document.getElementById('verdict').className`)).toBe('good');
    expect(await page.valueOf(`document.getElementById('verdict').textContent`)).toMatch(
      /^Yes: TCP from 172\.30\.0\.1 to 172\.30\.0\.1:80 \(shop\/web\) reaches its one real server/,
    );
    const explanation = `document.getElementById('explanation')`;
    expect(await page.valueOf(`${explanation}.hidden`)).toBe(false);
    expect(await page.valueOf(`${explanation}.textContent`)).toMatch(
      /^TCP 172\.30\.0\.1 → [^]*10\.0\.0\.2:8080: weight 0/,
    );
    writeFileSync(join(pictures, 'status-page-explain.png'), await page.screenshot());
    await page.type(hostile);
    await page.press('Enter');
    await page.until(`document.getElementById('verdict').className === 'warn'`);
    expect(await page.valueOf(`document.getElementById('verdict').textContent`)).toContain(
      `${JSON.stringify(`svc/shop/web:80${hostile}`)} is no TO`,
    );
    expect(await page.valueOf(`[${explanation}.hidden, document.title]`)).toEqual([
      true,
      'worker-1 – kube-proxy',
    ]);
  });

  test.each(['light', 'dark'])('looks as it should in %s', async (scheme) => {
    const file = join(pictures, `status-page-${scheme}.png`);
    const dark =
      scheme === 'dark' ? ['--force-dark-mode', '--blink-settings=preferredColorScheme=0'] : [];
    await opened([`--screenshot=${file}`, ...dark], '#shop/web');
    const png = spawnSync('head', ['-c', '8', file]).stdout.toString('latin1');
    expect(png).toBe('\u0089PNG\r\n\u001a\n');
  });
});
