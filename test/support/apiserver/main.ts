import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { ApiServer, type ApiServerOptions } from './apiserver.ts';
import { isRecord, type KubeObject, recordsAt } from './objects.ts';

const usage = `usage: main.ts [flags]
  --listen HOST:PORT                 where to listen (127.0.0.1:0: any free port)
  --url URL                          how clients reach it, if not there
  --kubeconfig-out FILE              writes a kubeconfig for it
  --token TOKEN                      a valid token, made up if not given
  --service-cluster-ip-range CIDRS   one, or one of each family with a comma between
  --service-node-port-range A-B      30000-32767
  --load FILE                        objects to begin with, YAML or JSON; may be given more than once
  --insecure                         plain HTTP
  --no-validate                      lets objects in that a real server refuses
  --faults-endpoint                  serves /faults
`;

/** Runs a test API server until SIGTERM or SIGINT; prints its address when it listens. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      listen: { type: 'string', default: '127.0.0.1:0' },
      url: { type: 'string' },
      'kubeconfig-out': { type: 'string' },
      token: { type: 'string' },
      'service-cluster-ip-range': { type: 'string' },
      'service-node-port-range': { type: 'string' },
      load: { type: 'string', multiple: true, default: [] },
      insecure: { type: 'boolean', default: false },
      'no-validate': { type: 'boolean', default: false },
      'faults-endpoint': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(usage);
  const { host, port } = splitListen(values.listen);
  const ranges = values['service-cluster-ip-range'];
  const nodePorts = values['service-node-port-range'];
  const options: ApiServerOptions = {
    host,
    port,
    tls: !values.insecure,
    validate: !values['no-validate'],
    faultsPath: values['faults-endpoint'],
    ...(values.url === undefined
      ? {}
      : { hosts: [new URL(values.url).hostname.replaceAll(/[[\]]/g, '')] }),
    ...(values.token === undefined ? {} : { tokens: { [values.token]: 'admin' } }),
    ...(ranges === undefined ? {} : { serviceClusterIpRange: ranges.split(',') }),
    ...(nodePorts === undefined ? {} : { nodePorts: splitRange(nodePorts) }),
  };
  const server = new ApiServer(options);
  for (const file of values.load) load(server, file);
  await server.listen();
  const kubeconfig = server.kubeconfig(values.url === undefined ? {} : { url: values.url });
  const out = values['kubeconfig-out'];
  if (out !== undefined) writeFileSync(out, kubeconfig, { mode: 0o600 });
  process.stdout.write(`${server.url}\n`);
  const stop = () => void server.close();
  process.once('SIGTERM', stop).once('SIGINT', stop);
}

function splitListen(text: string): { host: string; port: number } {
  const parts = /^\[?([^\]]*?)\]?:(\d+)$/.exec(text);
  if (parts === null) throw new Error(`--listen ${text}: HOST:PORT is wanted`);
  return { host: parts[1] || '127.0.0.1', port: Number(parts[2]) };
}

function splitRange(text: string): { first: number; last: number } {
  const [first = 0, last = 0] = text.split('-').map(Number);
  return { first, last };
}

function load(server: ApiServer, file: string): void {
  for (const document of parseAllDocuments(readFileSync(file, 'utf8'))) {
    const value: unknown = document.toJS();
    const objects =
      isRecord(value) && value['kind'] === 'List'
        ? recordsAt(value, 'items')
        : isRecord(value)
          ? [value]
          : [];
    for (const object of objects) server.apply(object as KubeObject); // refused there if it is none
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
