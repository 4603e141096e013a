import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from '@kube-proxy-ipvs/test-apiserver/certificates';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { errorText } from '../../log/error-text.ts';
import { type ManualClock, manualClock } from '../../runner/manual-clock.ts';
import { noMetrics, type PluginCall } from '../metrics.ts';
import { loadConnection } from './config.ts';
import type { Connection } from './connection.ts';

const authority = new CertificateAuthority({ commonName: 'authority' });
const apiVersion = 'client.authentication.k8s.io/v1';

let folder: string;
let clock: ManualClock;
/** How the runs of plug-ins ended. */
let calls: string[];
/** When the certificates of plug-ins expire. */
let expiries: (number | undefined)[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'exec-plugin-'));
});

beforeEach(() => {
  clock = manualClock();
  calls = [];
  expiries = [];
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a program into the kubeconfig's folder. */
function script(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return `./${name}`;
}

/** A shell command that answers with a status. */
function answer(status: object, over: object = {}): string {
  return `cat <<'END'\n${JSON.stringify({ apiVersion, kind: 'ExecCredential', status, ...over })}\nEND`;
}

function connect(exec: object, cluster: object = {}): Promise<Connection> {
  const kubeconfig = join(folder, 'kubeconfig');
  const text = JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server: 'https://192.168.0.1:6443', ...cluster } }],
    users: [{ name: 'u', user: { exec: { apiVersion, ...exec } } }],
  });
  writeFileSync(kubeconfig, text);
  const metrics = {
    ...noMetrics,
    pluginCalled: ({ status, code }: PluginCall) => void calls.push(`${status} ${code}`),
    pluginCertificate: (expires: number | undefined) => void expiries.push(expires),
  };
  return loadConnection({ kubeconfig, master: '', clock, metrics });
}

async function token(connection: Connection, { fresh = false } = {}): Promise<string | undefined> {
  return (await connection.credentials({ fresh })).headers['authorization'];
}

async function failure(command: string, exec: object = {}): Promise<string> {
  const connection = await connect({ command, ...exec });
  const error = await connection.credentials({ fresh: false }).catch((reason: unknown) => reason);
  return errorText(error).replaceAll(folder, 'FOLDER');
}

describe('a plug-in', () => {
  test('is found in the folder of the kubeconfig and told what is wanted', async () => {
    const command = script(
      'tell',
      `echo "$KUBERNETES_EXEC_INFO" > ${folder}/info; echo "$1 $MINE" > ${folder}/rest; ${answer({ token: 'secret' })}`,
    );
    const cluster = {
      'certificate-authority-data': Buffer.from(authority.certificate).toString('base64'),
      extensions: [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'us' } }],
    };
    const env = [{ name: 'MINE', value: 'v' }];
    const exec = { command, args: ['a'], env, provideClusterInfo: true };
    expect(await token(await connect(exec, cluster))).toBe('Bearer secret');
    expect(readFileSync(`${folder}/rest`, 'utf8')).toBe('a v\n');
    expect(JSON.parse(readFileSync(`${folder}/info`, 'utf8'))).toEqual({
      apiVersion,
      kind: 'ExecCredential',
      spec: {
        interactive: false,
        cluster: {
          server: 'https://192.168.0.1:6443',
          'certificate-authority-data': cluster['certificate-authority-data'],
          config: { audience: 'us' },
        },
      },
    });
  });

  test('is asked again when its answer has expired, and when it was refused', async () => {
    const expires = new Date(clock.wallClock() + 60_000).toISOString();
    const count = `echo x >> ${folder}/asked; N=$(wc -l < ${folder}/asked | tr -d ' ')`;
    const reply = answer({ token: 't$N', expirationTimestamp: expires }).replace("'END'", 'END');
    const connection = await connect({ command: script('count', `${count}; ${reply}`) });
    expect(await Promise.all([token(connection), token(connection)])).toEqual([
      'Bearer t1',
      'Bearer t1',
    ]);
    await clock.advance(59_999);
    expect(await token(connection)).toBe('Bearer t1');
    expect(await token(connection, { fresh: true })).toBe('Bearer t2');
    await clock.advance(1);
    expect(await token(connection)).toBe('Bearer t3');
  });

  test('may answer with a certificate', async () => {
    const { certificate, key } = authority.issue({ commonName: 'me' });
    const status = { clientCertificateData: certificate, clientKeyData: key };
    const connection = await connect({ command: script('certificate', answer(status)) });
    expect(await connection.credentials({ fresh: false })).toMatchObject({
      headers: {},
      tls: { cert: certificate, key },
    });
  });
});

describe('a plug-in that fails is named, and nothing of what it wrote', () => {
  const head = 'kubeconfig FOLDER/kubeconfig: no credentials: exec plug-in';
  test.each([
    [
      'ends with an error',
      'echo SECRET; echo SECRET >&2; exit 3',
      'ended with exit code 3; run it by hand to see why',
    ],
    ['dies', 'kill -9 $$', 'ended with SIGKILL; run it by hand to see why'],
    ['writes no JSON', 'echo SECRET', 'did not answer with an ExecCredential in JSON'],
    [
      'writes something else',
      `echo '{"token":"SECRET"}'`,
      'did not answer with an ExecCredential in JSON',
    ],
    ['answers nothing', answer({}), 'answered with neither a token nor a certificate'],
    [
      'gives an empty token',
      answer({ token: '' }),
      'answered with neither a token nor a certificate',
    ],
    [
      'gives half a pair',
      answer({ clientKeyData: 'SECRET' }),
      'answered with a certificate or a key, but not with both',
    ],
    [
      'speaks another version',
      answer({ token: 'SECRET' }, { apiVersion: 'v2' }),
      `answered in another API version than ${apiVersion}`,
    ],
    [
      'has no calendar',
      answer({ token: 'SECRET', expirationTimestamp: 'soon' }),
      'answered with an expirationTimestamp that is no time',
    ],
    [
      'writes without end',
      'head -c 2000000 /dev/zero; exec sleep 1000',
      'wrote more than 1048576 bytes',
    ],
  ])('%s', async (_name, text, reason) => {
    const command = script('failing', text);
    expect(await failure(command)).toBe(`${head} FOLDER/failing ${reason}`);
    expect(clock.pending()).toBe(0);
  });

  test('is not there', async () => {
    expect(await failure('./nowhere')).toBe(`${head} FOLDER/nowhere cannot be started (ENOENT)`);
  });

  test('cannot be started', async () => {
    const reason = `${head} true cannot be started (ERR_INVALID_ARG_VALUE)`;
    expect(await failure('true', { args: ['SECRET\0'] })).toBe(reason);
  });

  test('gives a token that no header can carry', async () => {
    const command = script('line', answer({ token: 'SECRET\r\nX: 1' }));
    expect(await failure(command)).toBe(
      'kubeconfig FOLDER/kubeconfig: the exec plug-in holds characters that stand in no token',
    );
  });

  test('does not answer, and is killed with its children', async () => {
    const fifo = join(folder, 'life');
    execFileSync('mkfifo', [fifo]);
    const failed = failure(script('hanging', `sleep 1000 > ${fifo} & wait`));
    const life = await open(fifo); // opens when the child has opened the other end
    await clock.advance(59_999);
    expect(clock.pending()).toBe(1);
    await clock.advance(1);
    expect(await failed).toBe(`${head} FOLDER/hanging did not answer within 60 s`);
    expect(await life.readFile('utf8')).toBe(''); // ends when all writers have closed
    await life.close();
    expect(clock.pending()).toBe(0);
  });
});

describe('each run counts by how it ended', () => {
  test.each([
    ['well', answer({ token: 't' }), 'no_error 0'],
    ['well, with an answer of no use', 'echo', 'no_error 0'],
    ['with an error', 'exit 3', 'plugin_execution_error 3'],
    ['by a signal', 'kill -9 $$', 'plugin_execution_error -1'],
    ['by ours, after too much', 'head -c 2000000 /dev/zero', 'plugin_execution_error -1'],
  ])('%s', async (_name, text, call) => {
    const connection = await connect({ command: script('counted', text) });
    await connection.credentials({ fresh: false }).catch(() => undefined);
    expect(calls).toEqual([call]);
  });

  test('not at all', async () => {
    await failure('./nowhere');
    await failure('true', { args: ['\0'] });
    expect(calls).toEqual(['plugin_not_found_error 1', 'client_internal_error 1']);
  });

  test('and its certificate by when it expires', async () => {
    const { certificate, key } = authority.issue({ commonName: 'me' });
    const status = { clientCertificateData: certificate, clientKeyData: key };
    const connection = await connect({ command: script('expiring', answer(status)) });
    await connection.credentials({ fresh: false });
    expect(expiries).toEqual([new X509Certificate(certificate).validToDate.getTime()]);
  });
});

describe('a plug-in that makes no sense is refused at the start', () => {
  test.each([
    ['no command', { command: '' }, "the user's exec names no command"],
    ['no version', { command: 'x', apiVersion: undefined }, /apiVersion that is none of client/],
    ['a terminal', { command: 'x', interactiveMode: 'Always' }, 'wants a terminal'],
    ['odd args', { command: 'x', args: 'y' }, 'args or env that are no lists'],
    ['odd env', { command: 'x', env: [{ name: 7 }] }, 'an env that is no list of names and values'],
  ])('%s', async (_name, exec, reason) => {
    await expect(connect(exec)).rejects.toThrow(reason);
  });
});
