import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { load } from '../../pkg/config/load.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import { manualClock } from '../../pkg/runner/manual-clock.ts';
import { readConfigText, watchConfigFile } from './config-file.ts';

const head = 'apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n';
const given = { values: { '--hostname-override': 'x' } as object, removed: [] };

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-file-'));
  path = join(folder, 'config.conf');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A watcher over a file that began with some text. */
async function watching(text: string) {
  writeFileSync(path, head + text);
  const clock = manualClock();
  const log = recordingLogger();
  const looks: boolean[] = [];
  const abort = new AbortController();
  const file = { path, given, loaded: load(given, await readConfigText(path)) };
  let ending = 'still watching';
  const done = watchConfigFile(
    { file, clock, log, onLooked: (isRefused) => looks.push(isRefused) },
    abort.signal,
  ).then(
    () => (ending = 'ended'),
    (error: Error) => (ending = error.message),
  );
  return {
    log: () => log.lines(),
    looks,
    ending: () => ending,
    /** Waits until the file was looked at once more. */
    async look() {
      const before = looks.length;
      await clock.advance(5_000);
      await expect.poll(() => looks.length > before || ending !== 'still watching').toBe(true);
    },
    async stop() {
      abort.abort();
      await done;
      expect(clock.pending()).toBe(0);
    },
  };
}

test('a file that means something else ends the program', async () => {
  const watcher = await watching('mode: ipvs\n');
  await watcher.look();
  expect([watcher.ending(), watcher.looks]).toEqual(['still watching', [false, false]]);
  writeFileSync(path, `${head}mode: ipvs\nipvs: {strictARP: true}\n`);
  await watcher.look();
  expect(watcher.ending()).toBe(
    `content of the proxy server's configuration file was updated: ${path}`,
  );
  await watcher.stop();
});

test('a file that is written differently and means the same changes nothing', async () => {
  const watcher = await watching('mode: ipvs\n');
  writeFileSync(path, `# a comment\n${head}ipvs: {syncPeriod: 0s}\nmode: "ipvs"\n`);
  await watcher.look();
  expect([watcher.ending(), watcher.looks]).toEqual(['still watching', [false, false]]);
  await watcher.stop();
  expect([watcher.ending(), watcher.log()]).toEqual(['ended', []]);
});

test('a file that is wrong, or gone, is refused, reported once each time, and counted while it is so', async () => {
  const watcher = await watching('mode: ipvs\n');
  writeFileSync(path, `${head}mode: nftables\noomScoreAdj: 7000\n`);
  await watcher.look();
  await watcher.look();
  rmSync(path);
  await watcher.look();
  writeFileSync(path, 'mode: [');
  await watcher.look();
  writeFileSync(path, `${head}mode: ipvs\n`);
  await watcher.look();
  expect(watcher.looks).toEqual([false, true, true, true, true, false]);
  expect(watcher.ending()).toBe('still watching');
  const refused = 'error refused the changed configuration file, keeping what it said: ';
  const reasons = watcher.log().map((line) => line.replace(refused, ''));
  expect(reasons).toEqual([
    expect.stringMatching(/^KubeProxyConfiguration.mode: .*; KubeProxyConfiguration.oomScoreAdj: /),
    expect.stringMatching(/^ENOENT/),
    expect.stringMatching(/^is no YAML at line 1/),
  ]);
  await watcher.stop();
});

test('only a file of a bearable size is read', async () => {
  await expect(readConfigText(folder)).rejects.toThrow('is no file');
  writeFileSync(path, 'x'.repeat(1024 * 1024 + 1));
  await expect(readConfigText(path)).rejects.toThrow('is larger than 1048576 bytes');
});
