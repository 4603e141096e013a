import type { IpvsConnections } from '../connections/connections.ts';
import type { Flow } from '../conntrack/conntrack.ts';
import type { IpSets } from '../ipset/ipset.ts';
import type { Links } from '../links/links.ts';
import type { Kernel } from '../proxy/options.ts';
import type { PreviewIpvs } from './ipvs.ts';
import type { NodeReader } from './node.ts';
import type { PreviewRules } from './rules.ts';

/** What is copied of a node before the preview. */
export interface PreviewParts {
  readonly ipvs: PreviewIpvs;
  readonly rules: PreviewRules;
  /** Called for conntrack flows that would be deleted. */
  readonly onDeletedFlows: (flows: readonly Flow[]) => void;
}

/** A kernel that is read from a node, and that takes every write without doing it. */
export function previewKernel(
  node: NodeReader,
  { ipvs, rules, onDeletedFlows }: PreviewParts,
): Kernel {
  const { conntrack } = node;
  return {
    ipvs,
    ipsets: setsOf(node),
    links: linksOf(node),
    routes: { routes: () => node.routes.routes(), write: () => [] },
    firewall: rules,
    ruleTables: rules.tables,
    nftTables: {
      tables: async () => (await node.nftTables?.tables()) ?? [],
      otherTables: async () => [],
      deleteTable: () => undefined,
    },
    conntrack: {
      isFiltering: conntrack?.isFiltering ?? true,
      dump: async (filter, onFlow) => await conntrack?.dump(filter, onFlow),
      delete(flows) {
        onDeletedFlows(flows);
        return flows.length;
      },
      add: () => [],
    },
    connections: node.connections ?? noConnections,
    neighbours: node.neighbours,
    resetter: { challenge: () => false, abort: () => false },
    settings: { restore: () => undefined, expiresConnections: true },
  };
}

/** The connections of a kernel without IPVS. */
const noConnections: IpvsConnections = { dump: async () => ({ isWhole: true, unreadable: 0 }) };

function setsOf({ ipsets }: NodeReader): IpSets {
  return {
    protocol: () => 0,
    sets: async () => (await ipsets?.sets()) ?? [],
    entries: async (name) => (await ipsets?.entries(name)) ?? [],
    create: () => undefined,
    destroy: () => undefined,
    swap: () => undefined,
    write: () => [],
  };
}

function linksOf({ links }: NodeReader): Links {
  return {
    hasLink: (name) => links.hasLink(name),
    isDummy: (name) => links.isDummy(name),
    addresses: () => links.addresses(),
    names: async () => new Map(),
    ensureDummy: (name) => !links.hasLink(name),
    deleteLink: () => undefined,
    write: () => [],
    watch: async (_onChange, { signal }) => {
      if (signal.aborted) return;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
  };
}
