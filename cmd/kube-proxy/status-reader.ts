import type { ProxyConfig } from '../../pkg/config/types.ts';
import type { OpenedDump } from '../../pkg/dump/read.ts';
import { families, printHostPort } from '../../pkg/ip/address.ts';
import type { Ipvs } from '../../pkg/ipvs/ipvs.ts';
import type { Links } from '../../pkg/links/links.ts';
import { errorText } from '../../pkg/log/error-text.ts';
import type { Logger } from '../../pkg/log/log.ts';
import { isOfNode } from '../../pkg/proxy/desired/node-context.ts';
import type { Clock } from '../../pkg/runner/clock.ts';
import { withKernelCounts } from '../../pkg/status/kernel-counts.ts';
import { kernelView, type ServedObjects } from '../../pkg/status/kernel-view.ts';
import { StatusPages } from '../../pkg/status/pages.ts';
import { readQuery } from '../../pkg/status/query.ts';
import type { StatusReport } from '../../pkg/status/report.ts';
import { checkReport } from '../../pkg/status/shape.ts';
import { openNames } from './explain-names.ts';
import { proxierSettings } from './proxier-settings.ts';
import { readRunningProxy } from './running-proxy.ts';
import { assumeScheduler, serviceOptionsReader } from './service-options.ts';
import type { StatusOrigin } from './status-output.ts';

/** How many bytes of a page of the running proxy are read. */
const pageSize = 16 * 1024 * 1024;

/** The kernel, as it is read. Without IPVS there are no virtual servers. */
export interface OpenSources {
  readonly sources: {
    readonly ipvs: Pick<Ipvs, 'info' | 'virtualServers' | 'realServers'> | undefined;
    readonly links: Pick<Links, 'addresses'>;
  };
  readonly close: () => void;
}

/** One reading of what the node serves. */
export interface Reading extends StatusOrigin {
  readonly page: (parameters: URLSearchParams) => Promise<StatusReport>;
}

/** Reads what the node serves, from whoever knows most of it. */
export interface StatusReader {
  begin(filter: URLSearchParams): Promise<Reading>;
}

export interface StatusReaderOptions {
  readonly sources: OpenSources;
  readonly log: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** The dump that the sources are of; `undefined` for this node. */
  readonly dump?: Pick<OpenedDump, 'file' | 'taken'> | undefined;
}

/** Opens the kernel of this machine. */
export async function openStatus(): Promise<OpenSources> {
  const { openReader } = await import('./open-reader.ts');
  return openReader();
}

/** A reader of the node of a configuration: of its running proxy if that answers, else of the kernel. Of a dump there is the kernel alone. */
export function readerOf(config: ProxyConfig, options: StatusReaderOptions): StatusReader {
  return {
    async begin(filter) {
      if (options.dump !== undefined) return await kernelReading(config, { options });
      try {
        return await proxyReading(config, { filter, options });
      } catch (error) {
        const note = `the kube-proxy of this node: ${errorText(error)}`;
        return await kernelReading(config, { options, note });
      }
    },
  };
}

/** Asks the running proxy. Throws if it does not give a page. */
async function proxyReading(
  config: ProxyConfig,
  { filter, options }: { filter: URLSearchParams; options: StatusReaderOptions },
): Promise<Reading> {
  const { ipvs } = options.sources.sources;
  const refused = reasonNotToRead(ipvs);
  const ask = async (parameters: URLSearchParams) => {
    const asked = new URLSearchParams(parameters);
    if (refused !== undefined) asked.set('connections', '1');
    const path = `/debug/ipvs?${asked.toString()}`;
    return checkReport(JSON.parse(await readRunningProxy(config, { path, limit: pageSize })));
  };
  const first = await ask(filter);
  const where = config.metrics && printHostPort(config.metrics.address, config.metrics.port);
  return {
    source: `the kube-proxy of this node (${where})${refused === undefined ? ', with weights and connections from the kernel' : ''}`,
    notes: refused === undefined ? [] : [`the kernel: ${refused}`],
    async page(parameters) {
      const report = parameters.has('continue') ? await ask(parameters) : first;
      if (refused !== undefined || ipvs === undefined) return report;
      return await withKernelCounts(report, ipvs);
    },
  };
}

/** Why IPVS cannot be read here; `undefined` if it can, or is not loaded. */
function reasonNotToRead(ipvs: OpenSources['sources']['ipvs']): string | undefined {
  try {
    ipvs?.info();
    return undefined;
  } catch (error) {
    return errorText(error);
  }
}

/** Reads the kernel, with names from objects if something has them. Throws KernelError. */
async function kernelReading(
  config: ProxyConfig,
  { options, note }: { options: StatusReaderOptions; note?: string },
): Promise<Reading> {
  const { sources, clock, dump } = options;
  const { ipvs, links } = sources.sources;
  const { objects, description, problem } = await objectsOf(config, options);
  const addresses = (await links.addresses()).filter(isOfNode).map(({ address }) => address);
  const { view, connections } = await kernelView({
    ipvs,
    addresses,
    objects,
    settings: proxierSettings(config, families),
    serviceOptionsOf: serviceOptionsReader(config, assumeScheduler),
    now: () => clock.now(),
  });
  const pages = new StatusPages({ view, connections, clock });
  return {
    source: `the kernel${dump === undefined ? '' : ` in ${dump.file} of ${new Date(dump.taken).toISOString()}`}${ipvs === undefined ? ', which has no IPVS' : ''}, ${objects === undefined ? 'without names' : `with names from ${description}`}`,
    notes: [note, problem].filter((one) => one !== undefined),
    async page(parameters) {
      const query = readQuery(parameters);
      if ('problem' in query) throw new Error(query.problem);
      const json = await pages.page({ ...query, connections: true });
      return checkReport(JSON.parse(json));
    },
  };
}

/** The objects of the configured source, or why there are none. */
async function objectsOf(
  config: ProxyConfig,
  { log, env }: Pick<StatusReaderOptions, 'log' | 'env'>,
): Promise<{
  readonly objects: ServedObjects | undefined;
  readonly description: string;
  readonly problem: string | undefined;
}> {
  const { names, close } = await openNames(config, { log, env });
  const description = names?.description ?? '';
  try {
    return { objects: await names?.objects(), description, problem: undefined };
  } catch (error) {
    return { objects: undefined, description, problem: `${description}: ${errorText(error)}` };
  } finally {
    close();
  }
}
