import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { load } from '../../pkg/config/load.ts';
import { families } from '../../pkg/ip/address.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import type { SettingChange } from '../../pkg/preview/settings.ts';
import { ProgressBoard } from '../../pkg/runner/progress.ts';
import { endpoint, service, slice } from '../../test/support/objects.ts';
import { FakeKernel, Stand, setService, setSlice } from '../../test/support/proxier.ts';
import { manifestsOfWeb } from '../../test/support/web-node.ts';
import { openObjects } from './object-source.ts';
import { type PlanOptions, planWith } from './plan.ts';
import { proxierSettings } from './proxier-settings.ts';

// The command on a kernel in memory, with objects from a file.

const folder = mkdtempSync(join(tmpdir(), 'plan-'));
const manifests = join(folder, 'objects.yaml');
writeFileSync(manifests, manifestsOfWeb(['{ addresses: [10.0.0.1] }']));
afterAll(() => rmSync(folder, { recursive: true }));

let kernel: FakeKernel;
let isClosed: boolean;
let progress: ProgressBoard;

beforeEach(() => {
  kernel = new FakeKernel();
  isClosed = false;
  progress = new ProgressBoard();
});

/** Runs the command with a node whose settings are right, unless given. */
async function run(
  argv: readonly string[],
  settings: readonly SettingChange[] = [],
  over: PlanOptions = {},
): Promise<{ status: number; text: string }> {
  let text = '';
  const close = () => void (isClosed = true);
  const open = () => ({ node: kernel, settings, modules: [], close });
  const command = planWith({ open, isTerminal: false, env: {}, ...over });
  const log = Object.assign(recordingLogger(), {
    lost: () => ({ leftOut: 0, dropped: 0 }),
    end: () => undefined,
  });
  const print = async (piece: string) => void (text += piece);
  const objects = [`--ipvs-manifests=${manifests}`, '--hostname-override=here'];
  const status = await command([...objects, ...argv], { log, print, progress });
  return { status, text };
}

test('status 2 for a node that a start would change, which is left as it is', async () => {
  const was = kernel.dump();
  const { status, text } = await run([]);
  expect(status).toBe(2);
  expect(text).toContain(
    '  shop/web: 1 set entry added, 1 virtual server added, 1 real server added\n',
  );
  expect(kernel.dump()).toBe(was);
  expect(isClosed).toBe(true);
});

test('status 0 for a node on which a start with the same settings has been', async () => {
  const config = effective(load({ values: {}, removed: [] }, undefined).settings, 'here');
  const stand = new Stand({ kernel, ...proxierSettings(config, families) });
  stand.report(setService(service()), setSlice(slice([endpoint('10.0.0.1')])));
  await stand.sync();
  await stand.stop();
  expect(await run([])).toEqual({
    status: 0,
    text: 'Node here\n\nNothing to do: the node is as it should be.\n',
  });
});

test('a setting alone is something to change', async () => {
  const { text } = await run([], [{ path: 'net/ipv4/ip_forward', before: '0', value: '1' }]);
  expect(text).toContain('  net/ipv4/ip_forward: 0 -> 1\n');
});

test.each([
  ['coloured on a terminal', { isTerminal: true }, true],
  ['without colours in a pipe', {}, false],
  ['without colours where NO_COLOR is set', { isTerminal: true, env: { NO_COLOR: '1' } }, false],
])('%s', async (_, over, isColoured) => {
  const { text } = await run([], [], over);
  expect(text.includes('\u001b[33mA start carries out')).toBe(isColoured);
  expect(text.includes('\u001b[1mOperations:')).toBe(isColoured);
  const json = await run(['-o', 'json'], [], over);
  expect(json.text).not.toContain('\u001b');
});

test('every operation in a line, and JSON', async () => {
  expect((await run(['-o', 'wide'])).text).toContain(
    '    +rs 172.30.0.1:80/TCP 10.0.0.1:8080 weight 1\n',
  );
  expect(JSON.parse((await run(['-o', 'json'])).text)).toMatchObject({ version: 1, node: 'here' });
});

test('with routes, ranges of VIPs are those that the cluster names', async () => {
  const objectsOf: typeof openObjects = async (options) => ({
    ...(await openObjects(options)),
    serviceRanges: { run: async (onRanges) => onRanges(['172.30.0.0/16', '0.0.0.0/0']) },
  });
  const withRoutes = ['--ipvs-vip-binding=route', '-o', 'wide'];
  expect((await run(withRoutes, [], { objectsOf })).text).toContain('+route 172.30.0.0/16');
  // They are not asked for where they are configured.
  const configured = '--ipvs-service-cluster-ip-range=172.30.0.0/24';
  const { text } = await run([...withRoutes, configured], [], { objectsOf });
  expect(text).toContain('+route 172.30.0.0/24');
  expect(text).not.toContain('172.30.0.0/16');
});

test('what is not read in time is an error, and the node is closed', async () => {
  // Nobody listens there, so that no list is ever read.
  const command = run(['--ipvs-manifests=', '--master=http://127.0.0.1:1', '--wait=50ms']);
  await expect(command).rejects.toThrow('not everything was read within 0.05 s (--wait)');
  expect(isClosed).toBe(true);
});

test('how far it has come is shown', async () => {
  const begun: string[] = [];
  progress.listen({ begun: () => begun.push(progress.current[0]?.stage ?? ''), ended() {} });
  await run([]);
  expect(begun).toEqual([
    'reading virtual servers',
    'first sync: entering Services',
    'first sync: comparing objects with the kernel',
    'first sync: writing objects to the kernel',
    'first sync: waiting for rules',
  ]);
  expect(progress.current).toEqual([]);
});
