import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { ApiServer } from './apiserver.ts';
import { isRecord, type KubeObject, recordsAt } from './objects.ts';

const usage = `usage: main.ts [flags]
  --listen HOST:PORT                 where to listen (127.0.0.1:0: any free port)
  --kubeconfig-out FILE              writes a kubeconfig for it
  --service-cluster-ip-range CIDRS   one, or one of each family with a comma between
  --load FILE                        objects to begin with, YAML, or JSON by its name; may be given more than once
`;

/** Runs a test API server until SIGTERM or SIGINT; prints its address when it listens. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      listen: { type: 'string', default: '127.0.0.1:0' },
      'kubeconfig-out': { type: 'string' },
      'service-cluster-ip-range': { type: 'string' },
      load: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(usage);
  const ranges = values['service-cluster-ip-range'];
  const server = new ApiServer({
    ...splitListen(values.listen),
    ...(ranges === undefined ? {} : { serviceClusterIpRange: ranges.split(',') }),
  });
  for (const file of values.load) load(server, file);
  await server.listen();
  const out = values['kubeconfig-out'];
  if (out !== undefined) writeFileSync(out, server.kubeconfig(), { mode: 0o600 });
  process.stdout.write(`${server.url}\n`);
  const stop = () => void server.close();
  process.once('SIGTERM', stop).once('SIGINT', stop);
}

function splitListen(text: string): { host: string; port: number } {
  const parts = /^\[?([^\]]*?)\]?:(\d+)$/.exec(text);
  if (parts === null) throw new Error(`--listen ${text}: HOST:PORT is wanted`);
  return { host: parts[1] || '127.0.0.1', port: Number(parts[2]) };
}

function load(server: ApiServer, file: string): void {
  for (const value of documentsIn(file)) {
    const objects =
      isRecord(value) && value['kind'] === 'List'
        ? recordsAt(value, 'items')
        : isRecord(value)
          ? [value]
          : [];
    for (const object of objects) server.apply(object as KubeObject); // refused there if it is none
  }
}

/** JSON is YAML too, but a cluster of JSON would take gigabytes as a tree of YAML. */
function documentsIn(file: string): readonly unknown[] {
  const text = readFileSync(file, 'utf8');
  if (file.endsWith('.json')) return [JSON.parse(text)];
  return parseAllDocuments(text).map((document): unknown => document.toJS());
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
