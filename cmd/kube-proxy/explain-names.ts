import type { ProxyConfig } from '../../pkg/config/types.ts';
import { version } from '../../pkg/config/version.ts';
import { ExplainError } from '../../pkg/explain/explain-error.ts';
import { ObjectNames } from '../../pkg/explain/object-names.ts';
import { type Client, HttpClient } from '../../pkg/kube/api/client.ts';
import { ApiError } from '../../pkg/kube/api/error.ts';
import { ApiSource } from '../../pkg/kube/api/source.ts';
import { loadConnection } from '../../pkg/kube/credentials/config.ts';
import { ManifestSource } from '../../pkg/kube/manifests/manifests.ts';
import { noMetrics } from '../../pkg/kube/metrics.ts';
import { reducePod } from '../../pkg/kube/objects/reduce-pod.ts';
import type { ObjectName, PodPlace } from '../../pkg/kube/types.ts';
import type { Logger } from '../../pkg/log/log.ts';
import { seconds, systemClock } from '../../pkg/runner/clock.ts';
import { kubeLog } from './kube-metrics.ts';

/** How long the objects of the API may take to be read. */
const patience = seconds(10);

/** Names, if there is something that knows them. */
export interface OpenNames {
  readonly names: ObjectNames | undefined;
  readonly close: () => void;
}

/** Opens what the configuration names: files, or the API by a kubeconfig, a server's address or the account of a pod. */
export async function openNames(
  { source, nodeName }: ProxyConfig,
  {
    log: logger,
    env,
  }: { readonly log: Logger; readonly env: Readonly<Record<string, string | undefined>> },
): Promise<OpenNames> {
  const clock = systemClock;
  const log = kubeLog(logger);
  if (source.type === 'manifests') {
    const manifests = new ManifestSource({ path: source.path, clock, log, nodeName });
    const description = `--ipvs-manifests ${source.path}`;
    const options = { source: manifests, readPod: undefined, description, clock, patience };
    return { names: new ObjectNames(options), close() {} };
  }
  const { kubeconfig, master, contentTypes } = source;
  const isInPod = (env['KUBERNETES_SERVICE_HOST'] ?? '') !== '';
  if (kubeconfig === '' && master === '' && !isInPod) return { names: undefined, close() {} };
  const connection = await loadConnection({ kubeconfig, master, clock, metrics: noMetrics });
  const userAgent = `kube-proxy/${version}`;
  const client = new HttpClient({ connection, clock, metrics: noMetrics, userAgent, contentTypes });
  const names = new ObjectNames({
    source: new ApiSource({ client, clock, metrics: noMetrics, log, nodeName }),
    readPod: (name) => readPod(client, name),
    description: 'the API',
    clock,
    patience,
  });
  return { names, close: () => client.close() };
}

/** Reads a pod from the API; `undefined` if there is none. */
export async function readPod(
  client: Pick<Client, 'get'>,
  { namespace, name }: ObjectName,
): Promise<PodPlace | undefined> {
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  try {
    const pod = reducePod(await client.get(path, { signal: AbortSignal.timeout(patience) }));
    if (pod === undefined) throw new ExplainError(`the API's answer to ${path} is no pod`);
    return pod;
  } catch (cause) {
    if (!(cause instanceof ApiError)) throw cause;
    if (cause.status === 404) return undefined;
    const hint = cause.status === 403 ? ': ask with the address of the pod' : '';
    throw new ExplainError(`${cause.message}${hint}`, { cause });
  }
}
