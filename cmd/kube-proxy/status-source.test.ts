import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { effective } from '../../pkg/config/effective.ts';
import { defaults } from '../../pkg/config/fields.ts';
import type { Report } from '../../pkg/explain/report.ts';
import type { StatusReport } from '../../pkg/status/report.ts';
import { ip } from '../../test/support/addresses.ts';
import { AssembledProgram } from '../../test/support/assembled-program.ts';
import { get } from '../../test/support/http-server.ts';
import { endpoint, service, slice } from '../../test/support/objects.ts';
import { setService, setSlice } from '../../test/support/proxier.ts';

const web = { address: ip('172.30.0.1'), protocol: 'TCP', port: 80 } as const;

async function started(): Promise<{ program: AssembledProgram; url: string }> {
  const program = await AssembledProgram.start(effective(defaults, 'here'));
  onTestFinished(() => program.stop());
  program.report(setService(service()), setSlice(slice([endpoint('10.0.0.1')])));
  await program.sync();
  return { program, url: `${await program.url('metrics server')}/debug/ipvs` };
}

test('the metrics server of the whole program shows what is served, with connections from the kernel', async () => {
  const { program, url } = await started();
  const realServer = { address: ip('10.0.0.1'), port: 8080 };
  program.kernel.ipvs.setCounters(web, realServer, { activeConnections: 4 });
  const { status, body } = await get(`${url}?connections=1`);
  expect(status).toBe(200);
  const { node, services } = JSON.parse(body) as StatusReport;
  expect(node).toMatchObject({ name: 'here', hasSynced: true, syncs: [{ kind: 'first' }] });
  expect(services).toMatchObject([
    {
      name: 'web',
      virtualServers: [
        {
          address: '172.30.0.1',
          state: 'served',
          realServers: [{ address: '10.0.0.1', connections: { active: 4, inactive: 0 } }],
        },
      ],
    },
  ]);
});

test('drift that an audit repairs is told by the program', async () => {
  const { program, url } = await started();
  program.kernel.ipvs.write([{ kind: 'deleteVirtualServer', virtualServer: web }]);
  await program.clock.advance(30_000);
  const { node } = JSON.parse((await get(url)).body) as StatusReport;
  expect(node?.minutes.at(-1)?.repairs).toEqual({ addVirtualServer: 1, addRealServer: 1 });
});

test.each([
  ['by default, to nobody who calls the host by a name', false, 403],
  ['with --ipvs-status-page, to everybody', true, 200],
])('it is served %s', async (_, isOpen, expected) => {
  const config = effective({ ...defaults, 'ipvs.statusPage': isOpen }, 'here');
  const program = await AssembledProgram.start(config);
  onTestFinished(() => program.stop());
  await program.sync();
  const url = await program.url('metrics server');
  for (const path of ['/debug/ipvs', '/debug/ipvs/', '/debug/ipvs/explain?from=node&to=node:80'])
    expect(await statusFor(url + path, 'node.example'), path).toBe(expected);
});

/** The status of the answer to a request that names the host so. */
async function statusFor(url: string, host: string): Promise<number | undefined> {
  const [response] = (await once(request(url, { headers: { host } }).end(), 'response')) as [
    IncomingMessage,
  ];
  response.resume();
  return response.statusCode;
}

test('questions are answered from the kernel and the objects of the program, with what it says itself', async () => {
  const { program, url } = await started();
  const question = `${url}/explain?from=outside=203.0.113.9&to=svc/shop/web:80&in=eth0`;
  const before = JSON.parse((await get(question)).body) as Report;
  expect(before).toMatchObject({
    answer: 'yes',
    service: 'shop/web',
    differences: { isFaringAsItShould: true, list: [] },
    proxy: [],
  });
  program.kernel.ipvs.write([{ kind: 'deleteVirtualServer', virtualServer: web }]);
  const { status, body } = await get(`${question}&output=text`);
  expect(status).toBe(200);
  expect(body).toMatch(
    /\nNo: .*virtual server 172\.30\.0\.1:80\/TCP of Service shop\/web is missing/,
  );
  await program.clock.advance(30_000);
  const after = JSON.parse((await get(question)).body) as Report;
  expect(after).toMatchObject({ answer: 'yes' });
  expect(after.proxy?.join()).toContain('ago: +vs 172.30.0.1:80/TCP rr');
  expect(program.closedReaders).toBe(3);
});

test('names of pods are not known to the program, and it says so', async () => {
  const { url } = await started();
  const { status, body } = await get(`${url}/explain?from=pod/shop/cart&to=svc/shop/web:80`);
  expect([status, body]).toEqual([
    400,
    'names of pods are not known here: ask with the address of the pod\n',
  ]);
});

test('parameters are checked', async () => {
  const { url } = await started();
  const { status, body } = await get(`${url}?limit=many`);
  expect([status, body]).toEqual([
    400,
    'limit: "many" is not a number of Services from 1 to 500\n',
  ]);
});

test('the last lines of the log are beside it', async () => {
  const { url } = await started();
  const { status, body } = await get(`${url}/log`);
  expect(status).toBe(200);
  expect(body).toContain('info first sync done');
});
