import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority } from '@kube-proxy-ipvs/test-apiserver/certificates';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorText } from '../../log/error-text.ts';
import { loadConnection } from './config.ts';

let folder: string;
const authority = new CertificateAuthority({ commonName: 'authority' });
const pair = authority.issue({ commonName: 'me' });
const base64 = (text: string) => Buffer.from(text).toString('base64');

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** A kubeconfig with these fields in its cluster and user. */
function config({ cluster = {}, user = {} }: { cluster?: object; user?: object } = {}): string {
  return JSON.stringify({
    'current-context': 'c',
    contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
    clusters: [{ name: 'k', cluster: { server: 'https://192.168.0.1:6443', ...cluster } }],
    users: [{ name: 'u', user }],
  });
}

const garbageAuthority = config({
  cluster: { 'certificate-authority-data': base64('garbage') },
});

const load = (kubeconfig: string, master = '') => loadConnection({ kubeconfig, master });

describe('a kubeconfig', () => {
  test('with a token, an authority and a server name', async () => {
    const cluster = {
      'certificate-authority-data': base64(authority.certificate),
      'tls-server-name': 'kubernetes',
    };
    const connection = await load(file('token', config({ cluster, user: { token: 'secret' } })));
    expect(connection.server.href).toBe('https://192.168.0.1:6443/');
    expect(await connection.credentials({ fresh: false })).toEqual({
      headers: { authorization: 'Bearer secret' },
      tls: { ca: Buffer.from(authority.certificate), servername: 'kubernetes' },
      places: { authority: `certificate-authority-data of kubeconfig ${folder}/token` },
      agent: undefined,
    });
  });

  test('with a client certificate in files beside it', async () => {
    file('client.crt', pair.certificate);
    file('client.key', pair.key);
    const user = { 'client-certificate': 'client.crt', 'client-key': 'client.key' };
    const { headers, tls } = await (await load(file('certificate', config({ user })))).credentials({
      fresh: false,
    });
    expect(headers).toEqual({});
    expect(tls).toEqual({ cert: Buffer.from(pair.certificate), key: Buffer.from(pair.key) });
  });

  test('with a token file reads it again for every request', async () => {
    file('tok', 'one\n');
    const connection = await load(file('tokenFile', config({ user: { tokenFile: 'tok' } })));
    expect((await connection.credentials({ fresh: false })).headers).toEqual({
      authorization: 'Bearer one',
    });
    file('tok', 'two');
    expect((await connection.credentials({ fresh: false })).headers).toEqual({
      authorization: 'Bearer two',
    });
  });

  test('with a name and a password, plain HTTP and no verification', async () => {
    const text = config({
      cluster: { server: 'http://192.168.0.1/k', 'insecure-skip-tls-verify': true },
      user: { username: 'a', password: 'b' },
    });
    const connection = await load(file('basic', text));
    expect(connection.server.pathname).toBe('/k');
    expect(await connection.credentials({ fresh: false })).toMatchObject({
      headers: { authorization: `Basic ${base64('a:b')}` },
      tls: { rejectUnauthorized: false },
    });
  });

  test('is read anew when its credentials were refused', async () => {
    const path = file('rotated', config({ user: { token: 'one' } }));
    const connection = await load(path);
    const cluster = { server: 'https://192.168.0.2:6443' };
    file('rotated', config({ cluster, user: { token: 'two' } }));
    expect((await connection.credentials({ fresh: false })).headers).toEqual({
      authorization: 'Bearer one',
    });
    expect(connection.server.host).toBe('192.168.0.1:6443');
    expect((await connection.credentials({ fresh: true })).headers).toEqual({
      authorization: 'Bearer two',
    });
    expect(connection.server.host).toBe('192.168.0.2:6443');
  });

  test.each([
    ['is gone', undefined, 'no such file'],
    ['is broken', 'a: [', /is no YAML/],
    ['has a garbage authority', garbageAuthority, /certificate-authority-data cannot be used/],
    ['has no server', config({ cluster: { server: '' } }), 'the cluster has no server'],
  ])('that %s when it is read anew stays in force as it was', async (name, text, reason) => {
    const path = file(`later ${name}`, config({ user: { token: 'one' } }));
    const connection = await load(path);
    if (text === undefined) rmSync(path);
    else writeFileSync(path, text);
    await expect(connection.credentials({ fresh: true })).rejects.toThrow(reason);
    expect(connection.server.host).toBe('192.168.0.1:6443');
    expect((await connection.credentials({ fresh: false })).headers).toEqual({
      authorization: 'Bearer one',
    });
  });

  test.each([
    ['token', 'is empty'],
    ['ca.crt', 'is empty'],
    ['client.key', 'is empty'],
  ])('whose %s is emptied is an error until it is there again', async (name, reason) => {
    const names = { token: 'one', 'ca.crt': authority.certificate, 'client.key': pair.key };
    const restore = () => {
      for (const [each, text] of Object.entries(names)) file(each, text);
    };
    restore();
    file('client.crt', pair.certificate);
    const path = file(
      'emptied',
      config({
        cluster: { 'certificate-authority': 'ca.crt' },
        user: {
          tokenFile: 'token',
          'client-certificate': 'client.crt',
          'client-key': 'client.key',
        },
      }),
    );
    const connection = await load(path);
    file(name, name === 'token' ? ' \n' : '');
    await expect(connection.credentials({ fresh: false })).rejects.toThrow(
      `kubeconfig ${path}: ${folder}/${name} ${reason}`,
    );
    restore();
    expect((await connection.credentials({ fresh: false })).headers).toEqual({
      authorization: 'Bearer one',
    });
  });

  test('with a name to act for', async () => {
    const connection = await load(
      file('as', config({ user: { token: 'secret', as: 'somebody' } })),
    );
    expect((await connection.credentials({ fresh: false })).headers).toEqual({
      authorization: 'Bearer secret',
      'impersonate-user': 'somebody',
    });
  });

  test('goes through the proxy that it names', async () => {
    const connection = await load(
      file('proxy', config({ cluster: { 'proxy-url': 'http://192.168.0.9:3128' } })),
    );
    expect((await connection.credentials({ fresh: false })).agent).toBeDefined();
  });

  test('gives way to --master', async () => {
    const path = file('master', config({ user: { token: 'secret' } }));
    const connection = await load(path, 'http://192.168.0.2:8080');
    expect(connection.server.href).toBe('http://192.168.0.2:8080/');
    expect((await connection.credentials({ fresh: false })).headers).toEqual({
      authorization: 'Bearer secret',
    });
  });
});

test('--master alone needs no credentials, and is plain HTTP if it does not say', async () => {
  const connection = await load('', '192.168.0.2:8080');
  expect(connection.server.href).toBe('http://192.168.0.2:8080/');
  expect(await connection.credentials({ fresh: false })).toEqual({
    headers: {},
    tls: {},
    agent: undefined,
  });
});

describe('in a pod', () => {
  const environment = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };

  test('the service account is used, and its token read again', async () => {
    file('ca.crt', authority.certificate);
    file('token', 'one\n');
    const connection = await loadConnection({
      kubeconfig: '',
      master: '',
      environment,
      serviceAccountFolder: folder,
    });
    expect(connection.server.href).toBe('https://[fd00::1]/');
    expect(await connection.credentials({ fresh: false })).toMatchObject({
      headers: { authorization: 'Bearer one' },
      tls: { ca: Buffer.from(authority.certificate) },
    });
    file('token', 'two\n');
    expect((await connection.credentials({ fresh: false })).headers).toEqual({
      authorization: 'Bearer two',
    });
  });

  test.each([
    [{}, 'in-cluster credentials: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set'],
    [environment, /^in-cluster credentials: .*\/none\/ca\.crt: no such file$/],
  ])('with %j and no account', async (variables, message) => {
    const options = {
      kubeconfig: '',
      master: '',
      environment: variables,
      serviceAccountFolder: `${folder}/none`,
    };
    await expect(loadConnection(options)).rejects.toThrow(message);
  });
});

describe('a bad kubeconfig is one line that names the file and the reason', () => {
  const garbage = base64('garbage');
  test.each<[string, string, string | RegExp]>([
    ['broken YAML', 'a: [', /is no YAML \(\w+\) at line 1, column \d+$/],
    ['several documents', 'a: b\n---\na: b', 'holds several documents'],
    ['aliases beyond number', `a: &x 1\nb: [${'*x,'.repeat(101)}]`, /^\S+ \S.*: more than 100/],
    [
      'a YAML bomb',
      `a: &a [x, x, x]\nb: &b [${'*a,'.repeat(9)}]\nc: &c [${'*b,'.repeat(9)}]\nd: [${'*c,'.repeat(9)}]`,
      'Excessive alias count indicates a resource exhaustion attack',
    ],
    ['deep YAML', '['.repeat(1_000), /collections more than 128 deep at line 1, column \d+$/],
    ['a file without end', ' '.repeat(5_000_000), 'is larger than 4194304 bytes'],
    ['empty', '', 'is no kubeconfig: it holds no mapping'],
    ['text', 'hello', 'is no kubeconfig: it holds no mapping'],
    ['no context', '{}', 'current-context is not set'],
    ['unknown context', '{current-context: x}', 'there is no context "x"'],
    [
      'unknown cluster',
      '{current-context: x, contexts: [{name: x, context: {cluster: y}}]}',
      'there is no cluster "y"',
    ],
    [
      'no cluster',
      '{current-context: x, contexts: [{name: x, context: {}}]}',
      'context "x" names no cluster',
    ],
    ['unknown user', config().replace('"name":"u"', '"name":"w"'), 'there is no user "u"'],
    ['no server', config({ cluster: { server: '' } }), 'the cluster has no server'],
    ['bad server', config({ cluster: { server: 'ftp://x' } }), '"ftp://x" is no http or https URL'],
    ['number as server', config({ cluster: { server: 7 } }), 'the cluster has no server'],
    [
      'missing authority',
      config({ cluster: { 'certificate-authority': 'nowhere.crt' } }),
      /nowhere\.crt: no such file$/,
    ],
    ['garbage authority', garbageAuthority, ': certificate-authority-data cannot be used: '],
    [
      'garbage certificate',
      config({ user: { 'client-certificate-data': garbage, 'client-key-data': garbage } }),
      ': client-certificate-data cannot be used: ',
    ],
    [
      'a certificate without its key',
      config({ user: { 'client-certificate-data': base64(pair.certificate) } }),
      'the user has a client-certificate without client-key',
    ],
    [
      'a key without its certificate',
      config({ user: { 'client-key-data': base64(pair.key) } }),
      'the user has a client-key without client-certificate',
    ],
    [
      'proxy that is none',
      config({ cluster: { 'proxy-url': 'ftp://user:hush@x' } }),
      'proxy-url is no URL of a proxy ("ftp:")',
    ],
    [
      'token that no header can carry',
      config({ user: { token: 'hush\nX-Header: 1' } }),
      "the user's token holds characters that stand in no token",
    ],
    [
      'password in a bad server',
      config({ cluster: { server: 'ftp://user:hush@x' } }),
      '"ftp://…@x" is no http or https URL',
    ],
    ['secret in broken YAML', 'a: b\n}hush: [', /is no YAML \(\w+\) at line 2, column \d+$/],
    [
      'missing token file',
      config({ user: { tokenFile: 'nowhere.token' } }),
      /nowhere\.token: no such file$/,
    ],
    [
      'plug-in without a command',
      config({ user: { exec: {} } }),
      "the user's exec names no command",
    ],
  ])('%s', async (name, text, reason) => {
    const path = file(`bad ${name}`, text);
    const error = await load(path).then(
      () => new Error('loaded'),
      (cause: Error) => cause,
    );
    expect(error.message.startsWith(`kubeconfig ${path}: `)).toBe(true);
    expect(error.message).not.toContain('\n');
    expect(error.message).not.toContain('hush');
    expect(error.message).toMatch(reason);
  });

  test('a file that is not there is named once', async () => {
    const error = await load(`${folder}/nowhere`).catch((reason: unknown) => reason);
    expect(errorText(error)).toBe(`kubeconfig ${folder}/nowhere: no such file`);
  });

  test('so is a folder', async () => {
    const error = await load(folder).catch((reason: unknown) => reason);
    expect(errorText(error)).toBe(`kubeconfig ${folder}: is a folder`);
  });

  test('a master that is no URL', async () => {
    await expect(load('', 'ftp://x')).rejects.toThrow(
      '--master: "ftp://x" is no http or https URL',
    );
  });
});
