import type { Notice } from '../../pkg/config/notices.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import { splitCIDRs } from '../../pkg/config/validate.ts';
import { type Family, familyOf, type IpAddress, isUnspecified } from '../../pkg/ip/address.ts';
import { parsePrefix } from '../../pkg/ip/prefix.ts';

/** The options whose family is compared with that of the node. */
type FamilyOptions = Pick<
  ProxyConfig,
  'settings' | 'detectLocal' | 'excludeCIDRs' | 'healthz' | 'metrics'
>;

/** An option as written, and its addresses. */
interface Written {
  readonly option: string;
  readonly value: string;
  /** `undefined` for an item that is none. */
  readonly addresses: readonly (IpAddress | undefined)[];
}

/**
 * Warnings about options that name the other family only, on a node that serves one. Throws if that is `clusterCIDR` and pods are
 * recognised by it. There are none on a node that serves both families: which one is primary there is known with the Node.
 */
export function familyNotices(config: FamilyOptions, served: readonly Family[]): readonly Notice[] {
  const [family] = served;
  if (family === undefined || served.length > 1) return [];
  const wrong = writtenOptions(config).filter(({ addresses }) => areOther(family, addresses));
  const fatal = wrong.find(
    ({ option }) => option === 'clusterCIDR' && config.detectLocal.mode === 'ClusterCIDR',
  );
  if (fatal !== undefined)
    throw new Error(
      `clusterCIDR: Invalid value: "${fatal.value}": this node serves ${family} only, and detect-local-mode ClusterCIDR needs a network of it`,
    );
  return wrong.map(({ option, value }) => ({
    severity: 'warn',
    message: `${option} has only addresses of a family that this node does not serve`,
    details: { serves: family, [option]: value },
  }));
}

function writtenOptions(config: FamilyOptions): readonly Written[] {
  const { settings, excludeCIDRs, healthz, metrics } = config;
  const { clusterCIDR } = settings;
  return [
    {
      option: 'clusterCIDR',
      value: clusterCIDR,
      addresses:
        clusterCIDR === '' ? [] : splitCIDRs(clusterCIDR).map((text) => parsePrefix(text)?.address),
    },
    {
      option: 'ipvs.excludeCIDRs',
      value: settings['ipvs.excludeCIDRs'].join(','),
      addresses: excludeCIDRs.map(({ address }) => address),
    },
    {
      option: 'healthzBindAddress',
      value: settings.healthzBindAddress,
      addresses: listening(healthz),
    },
    {
      option: 'metricsBindAddress',
      value: settings.metricsBindAddress,
      addresses: listening(metrics),
    },
  ];
}

/** The address of a server, unless that is every address, of both families. */
function listening(server: ProxyConfig['healthz']): readonly IpAddress[] {
  return server === undefined || isUnspecified(server.address) ? [] : [server.address];
}

function areOther(family: Family, addresses: Written['addresses']): boolean {
  const isOther = (address: IpAddress | undefined) =>
    address !== undefined && familyOf(address) !== family;
  return addresses.length > 0 && addresses.every(isOther);
}
