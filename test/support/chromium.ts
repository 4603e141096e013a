import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { describe } from 'vitest';

/** The program. */
export const chromium = process.env['CHROMIUM'] ?? 'chromium';

/** Describes tests in Chromium. Where it is not installed they are skipped, and it says so. */
export function inChromium(tests: () => void): void {
  const isThere = spawnSync(chromium, ['--version']).status === 0;
  if (!isThere) console.warn(`skipped: ${chromium} is not installed`);
  describe.skipIf(!isThere)(`in ${chromium}`, tests);
}

/** What every start of Chromium needs in a test. */
export const headless: readonly string[] = ['--headless', '--no-sandbox', '--disable-gpu'];

/** An answer or an event. */
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly error?: { readonly message: string };
  readonly result?: Readonly<Record<string, unknown>>;
}

/** A page in a headless Chromium that is used by keyboard, over its DevTools protocol. The caller closes it. */
export class ChromiumPage {
  readonly #browser: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, PromiseWithResolvers<Readonly<Record<string, unknown>>>>();
  readonly #loaded = Promise.withResolvers<void>();
  #last = 0;
  #hasEnded = false;
  #session: string | undefined;

  private constructor(browser: ChildProcess, profile: string) {
    this.#browser = browser;
    this.#profile = profile;
    let rest = '';
    // Messages end with a zero byte.
    this.#pipe(4)
      .setEncoding('utf8')
      .on('data', (text: string) => {
        const messages = (rest + text).split('\0');
        rest = messages.pop() ?? '';
        for (const message of messages) this.#take(JSON.parse(message) as Message);
      });
    this.#pipe(3).on('error', () => undefined); // it has ended, which is told below
    browser.on('exit', () => {
      this.#hasEnded = true;
      for (const { reject } of [...this.#waiting.values(), this.#loaded]) reject(ended());
    });
    this.#loaded.promise.catch(() => undefined); // nobody may wait for it any more
  }

  /** Opens a page. Its window has the size of a screen. */
  static async open(url: string): Promise<ChromiumPage> {
    const profile = mkdtempSync(join(tmpdir(), 'chromium-'));
    const flags = [...headless, '--remote-debugging-pipe', '--window-size=1200,900'];
    const browser = spawn(chromium, [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    const page = new ChromiumPage(browser, profile);
    const { targetId } = await page.#send('Target.createTarget', { url: 'about:blank' });
    const attached = await page.#send('Target.attachToTarget', { targetId, flatten: true });
    page.#session = String(attached['sessionId']);
    await page.#send('Page.enable', {});
    await page.#send('Page.navigate', { url });
    await page.#loaded.promise;
    return page;
  }

  async close(): Promise<void> {
    const exited = this.#hasEnded ? undefined : once(this.#browser, 'exit');
    this.#browser.kill();
    await exited;
    rmSync(this.#profile, { recursive: true, maxRetries: 5, retryDelay: 100 });
  }

  /** The value of an expression in the page. */
  async valueOf(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined)
      throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { readonly value?: unknown }).value;
  }

  /** Waits until an expression is true in the page. */
  async until(expression: string): Promise<void> {
    const check = `const check = () => (${expression}) ? resolve() : setTimeout(check, 20); check();`;
    await this.valueOf(`new Promise((resolve) => { ${check} })`);
  }

  /** Presses a key, with Shift if it is said so. */
  async press(key: 'Tab' | 'Enter' | 'Space', { shift = false } = {}): Promise<void> {
    const [name, code, text] = {
      Tab: ['Tab', 9, ''] as const,
      Enter: ['Enter', 13, '\r'] as const,
      Space: [' ', 32, ' '] as const,
    }[key];
    const event = { key: name, code: key, windowsVirtualKeyCode: code, modifiers: shift ? 8 : 0 };
    await this.#send('Input.dispatchKeyEvent', { ...event, type: 'keyDown', text });
    await this.#send('Input.dispatchKeyEvent', { ...event, type: 'keyUp' });
  }

  /** Types a text where the focus is. */
  async type(text: string): Promise<void> {
    await this.#send('Input.insertText', { text });
  }

  /** A picture of the page as PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.#send('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(String(data), 'base64');
  }

  #send(
    method: string,
    params: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, unknown>>> {
    if (this.#hasEnded) return Promise.reject(ended());
    const id = ++this.#last;
    const answer = Promise.withResolvers<Readonly<Record<string, unknown>>>();
    this.#waiting.set(id, answer);
    const message = { id, method, params, sessionId: this.#session };
    this.#pipe(3).write(`${JSON.stringify(message)}\0`);
    return answer.promise;
  }

  /** Events have no number. */
  #take({ id = 0, method, error, result = {} }: Message): void {
    if (method === 'Page.loadEventFired') this.#loaded.resolve();
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error.message));
  }

  #pipe(fd: 3 | 4): Readable & Writable {
    return this.#browser.stdio[fd] as Readable & Writable; // a pipe, as it was asked for
  }
}

function ended(): Error {
  return new Error('Chromium has ended');
}
