import { FakeIpvsConnections } from '../../pkg/connections/fake.ts';
import { FakeConntrack } from '../../pkg/conntrack/fake.ts';
import { FakeFirewall, FakeRuleTables } from '../../pkg/firewall/fake.ts';
import { FakeIpSets } from '../../pkg/ipset/fake.ts';
import { FakeIpvs, type FakeIpvsOptions } from '../../pkg/ipvs/fake.ts';
import type { Change, EndpointSlice, Node, Service } from '../../pkg/kube/types.ts';
import { FakeLinks } from '../../pkg/links/fake.ts';
import { recordingLogger } from '../../pkg/log/memory.ts';
import { FakeNeighbours } from '../../pkg/neighbours/fake.ts';
import { FakeNftTables } from '../../pkg/nftables/fake.ts';
import { createProxier } from '../../pkg/proxy/create.ts';
import {
  type Kernel,
  kernelOf,
  type Ports,
  type ProxierSettings,
} from '../../pkg/proxy/options.ts';
import type { CleanupStep } from '../../pkg/proxy/plan/cleanup.ts';
import type { Operation } from '../../pkg/proxy/plan/operation.ts';
import type { Proxier } from '../../pkg/proxy/proxier.ts';
import type {
  OperationCounts,
  Removals,
  Reporter,
  Stage,
  SyncReport,
} from '../../pkg/proxy/reporter.ts';
import { FakeResetter } from '../../pkg/reset/fake.ts';
import { FakeRoutes } from '../../pkg/routes/fake.ts';
import { type ManualClock, manualClock } from '../../pkg/runner/manual-clock.ts';
import { ip } from './addresses.ts';
import { proxierSettings } from './proxier-settings.ts';
import { keptSettings } from './settings.ts';

/** A kernel in memory, as one node has it: it outlives the proxiers that work on it. */
export class FakeKernel {
  readonly ipvs: FakeIpvs;
  readonly ipsets = new FakeIpSets();
  readonly links = new FakeLinks();
  readonly routes = new FakeRoutes((address) => this.links.hasAddress(address));
  readonly firewall = new FakeFirewall();
  readonly ruleTables = new FakeRuleTables(this.firewall);
  readonly nftTables = new FakeNftTables();
  readonly conntrack = new FakeConntrack();
  readonly neighbours = new FakeNeighbours();
  readonly connections = new FakeIpvsConnections();
  readonly resetter = new FakeResetter();
  readonly settings = keptSettings;

  constructor(options: FakeIpvsOptions = {}) {
    this.ipvs = new FakeIpvs(options);
    this.links.addLink('eth0', 'veth');
    this.links.addAddress({ link: 'eth0', address: ip('192.168.0.10'), prefixLength: 24 });
    this.links.addAddress({ link: 'eth0', address: ip('fd00:192:168::10'), prefixLength: 64 });
  }

  /** Everything that a proxier makes there, as other people's tools would print it. */
  dump(): string {
    const rules = (['IPv4', 'IPv6'] as const).map((family) => this.firewall.dump(family));
    const ipvs = this.ipvs.dump().split('\n').toSorted().join('\n');
    const routes = this.routes.dump();
    return [
      '## ipvs',
      ipvs,
      '## links',
      this.links.dump(),
      ...(routes === '' ? [] : ['## routes', routes]),
      '## sets',
      this.ipsets.dump(),
      '## rules',
      ...rules,
    ].join('\n');
  }
}

/** The reports of a proxier. */
export interface Reports extends Reporter {
  readonly syncs: SyncReport[];
  /** The stages that ran, in order. */
  readonly stages: Stage[];
  readonly repairs: string[];
  readonly conflicts: string[];
  readonly drains: string[];
  /** Ends of drains that cut connections: `deadline 2 of web`. */
  readonly cuts: string[];
  readonly annotations: string[];
  /** Clients of deleted real servers: `sent 1`. */
  readonly resets: string[];
  /** Deleted stale flows, each time that some were looked for: `IPv4 2`. */
  readonly flows: string[];
  /** Operations: how many were done and failed, by kind. */
  readonly operationCounts: Map<Operation['kind'] | CleanupStep, OperationCounts>;
  /** What is kept until a second read, as last reported. */
  undecided: Removals | undefined;
  /** Of which Service which object is wrong, and how. */
  readonly invalid: string[];
  /** Of Services with a health-check node port: `8000: 2 endpoints`, by key. */
  readonly health: Map<string, string>;
  /** Why Services are not honoured, by key. */
  readonly unhonouredServices: Map<string, string>;
  /** How many virtual servers Services want that others have, by key. */
  readonly claimsLost: Map<string, number>;
  /** Where health-check node ports are to listen, each time that it changed. */
  readonly listening: string[];
  isFirstSyncDone: boolean;
}

/** A reporter that keeps what is reported to it. */
export function recordingReporter(): Reports {
  const nothing = () => undefined;
  const reports: Reports = {
    syncs: [],
    stages: [],
    repairs: [],
    conflicts: [],
    drains: [],
    cuts: [],
    annotations: [],
    resets: [],
    flows: [],
    operationCounts: new Map(),
    undecided: undefined,
    invalid: [],
    health: new Map(),
    unhonouredServices: new Map(),
    claimsLost: new Map(),
    listening: [],
    isFirstSyncDone: false,
    changeReceived: nothing,
    invalidObjects: nothing,
    invalidObject: ({ kind, name, service: about }, problems) =>
      void reports.invalid.push(
        `${about.name}: ${kind} ${name}: ${problems.map(({ message }) => message).join('; ')}`,
      ),
    queued: nothing,
    synced: (report) => void reports.syncs.push(report),
    stageTook: (stage) => void reports.stages.push(stage),
    serviceHealth(key, health) {
      if (health === undefined) reports.health.delete(key);
      else reports.health.set(key, `${health.port}: ${health.localEndpoints} endpoints`);
    },
    state: ({ undecided }) => void (reports.undecided = undecided),
    operations(kind, { done, failed }) {
      const counts = reports.operationCounts.get(kind) ?? { done: 0, failed: 0 };
      const sum = { done: counts.done + done, failed: counts.failed + failed };
      reports.operationCounts.set(kind, sum);
    },
    repaired: (kind) => void reports.repairs.push(kind),
    conflict: ({ winner, loser, virtualServer }) =>
      void reports.conflicts.push(`${winner} over ${loser}: ${virtualServer}`),
    drainEnded({ end, cutConnections }, service) {
      reports.drains.push(end);
      if (cutConnections > 0)
        reports.cuts.push(`${end} ${cutConnections} of ${service?.name ?? 'nobody'}`);
    },
    invalidAnnotations: ({ name }, problems) =>
      void reports.annotations.push(
        `${name}: ${problems.map(({ message }) => message).join('; ')}`,
      ),
    unhonoured(key, reasons) {
      if (reasons.size === 0) reports.unhonouredServices.delete(key);
      else reports.unhonouredServices.set(key, [...reasons].join(' '));
    },
    lostClaims(key, count) {
      if (count === 0) reports.claimsLost.delete(key);
      else reports.claimsLost.set(key, count);
    },
    reused: nothing,
    flowsReconciled: ({ family, deleted }) => void reports.flows.push(`${family} ${deleted}`),
    clientResets: (result, count) => void reports.resets.push(`${result} ${count}`),
    healthCheckAddresses: (addresses) => void reports.listening.push(addresses.join(' ')),
    rulesFailed: nothing,
    progressed: nothing,
    firstSyncBegins: nothing,
    firstSyncDone() {
      reports.isFirstSyncDone = true;
    },
  };
  return reports;
}

/** What a test has otherwise than the others: parts of the kernel, settings, and what hears of it all. */
export type StandOptions = Partial<Kernel & ProxierSettings & Omit<Ports, 'clock'>> & {
  readonly kernel?: FakeKernel;
  readonly clock?: ManualClock;
};

/** A proxier on a kernel in memory, with time in the test's hands. */
export class Stand {
  readonly clock: ManualClock;
  readonly kernel: FakeKernel;
  readonly log = recordingLogger({ verbosity: 4 });
  readonly reports = recordingReporter();
  readonly proxier: Proxier;
  readonly #stop = new AbortController();
  readonly #run: Promise<void>;

  constructor({ kernel = new FakeKernel(), clock = manualClock(), ...over }: StandOptions = {}) {
    this.kernel = kernel;
    this.clock = clock;
    this.proxier = createProxier(
      { ...kernelOf(kernel), ...over },
      { ...proxierSettings, ...over },
      { clock, log: this.log, reporter: this.reports, ...over },
    );
    this.#run = this.proxier.run(this.#stop.signal);
  }

  /** Reports changes as a source would. */
  report(...changes: readonly Change[]): void {
    for (const change of changes) this.proxier.onChange(change);
  }

  /** Reports that the initial lists are complete, and waits for the first sync. */
  async sync(): Promise<void> {
    this.report(
      { type: 'synced', kind: 'Service' },
      { type: 'synced', kind: 'EndpointSlice' },
      { type: 'synced', kind: 'Node' },
    );
    await this.settle();
  }

  /** Lets some milliseconds pass, and everything that is due happen. */
  async settle(milliseconds = 0): Promise<void> {
    // What is due at once is over before time moves on.
    await this.clock.advance(0);
    await this.clock.advance(milliseconds);
  }

  /** Settles when the proxier has ended; rejected with what it could not go on after. */
  get ended(): Promise<void> {
    return this.#run;
  }

  /** Ends the proxier as a signal does. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#run;
  }
}

/** A change that sets a Service. */
export function setService(object: Service): Change {
  return { type: 'set', kind: 'Service', object, problems: [] };
}

/** A change that sets a slice. */
export function setSlice(object: EndpointSlice): Change {
  return { type: 'set', kind: 'EndpointSlice', object, problems: [] };
}

/** A change that sets this node. */
export function setNode(object: Node): Change {
  return { type: 'set', kind: 'Node', object, problems: [] };
}

/** A change that deletes an object of `shop`. */
export function remove(kind: 'Service' | 'EndpointSlice', name: string): Change {
  return { type: 'delete', kind, name: { namespace: 'shop', name } };
}
