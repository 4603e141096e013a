import { expect, onTestFinished, test } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { defaults } from '../../pkg/config/fields.ts';
import { textReply } from '../../pkg/health/reply.ts';
import { ip } from '../../test/support/addresses.ts';
import { AssembledProgram } from '../../test/support/assembled-program.ts';
import { serve } from '../../test/support/http-server.ts';
import { endpoint, service, slice } from '../../test/support/objects.ts';
import { setService, setSlice } from '../../test/support/proxier.ts';
import { proxyNotes } from './proxy-notes.ts';

const vip = ip('172.30.0.1');

test('a running proxy says what it repaired at an address', async () => {
  const program = await AssembledProgram.start(effective(defaults, 'here'));
  onTestFinished(() => program.stop());
  program.report(setService(service()), setSlice(slice([endpoint('10.0.0.1')])));
  await program.sync();
  const web = { address: vip, protocol: 'TCP', port: 80 } as const;
  program.kernel.ipvs.write([{ kind: 'deleteVirtualServer', virtualServer: web }]);
  await program.clock.advance(30_000);
  const { port } = new URL(await program.url('metrics server'));
  const metrics = { address: ip('127.0.0.1'), port: Number(port) };
  expect(await proxyNotes({ metrics }, vip)).toEqual([
    expect.stringMatching(/^repaired \d+s ago: \+vs 172\.30\.0\.1:80\/TCP rr$/),
    expect.stringMatching(/^repaired \d+s ago: \+rs 172\.30\.0\.1:80\/TCP /),
  ]);
  expect(await proxyNotes({ metrics }, ip('172.30.0.9'))).toEqual([]);
});

test('another one says nothing', async () => {
  const { port } = await serve(new Map([['/debug/ipvs', () => textReply(200, 'ok')]]));
  const metrics = { address: ip('127.0.0.1'), port };
  expect(await proxyNotes({ metrics }, vip)).toBeUndefined();
  expect(await proxyNotes({ metrics: undefined }, vip)).toBeUndefined();
});
