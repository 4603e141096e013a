import { assemble } from '../../cmd/kube-proxy/assemble.ts';
import type { Environment } from '../../cmd/kube-proxy/environment.ts';
import { openObjects } from '../../cmd/kube-proxy/object-source.ts';
import type { ProxyConfig } from '../../pkg/config/types.ts';
import type { NodeSources } from '../../pkg/explain/node-sources.ts';
import type { Change } from '../../pkg/kube/types.ts';
import type { ProgramLog } from '../../pkg/log/log.ts';
import { type RecordingLogger, recordingLogger } from '../../pkg/log/memory.ts';
import { type ManualClock, manualClock } from '../../pkg/runner/manual-clock.ts';
import { FakeSysctl } from '../../pkg/sysctl/fake.ts';
import { ip } from './addresses.ts';
import { FakeKernel } from './proxier.ts';

/** An API server that nothing is asked of. */
const noServer = {
  type: 'api',
  kubeconfig: '',
  master: 'http://127.0.0.1:1',
  contentTypes: '',
} as const;
/** Any free port of loopback. */
const anyPort = { address: ip('127.0.0.1'), port: 0 };

/** What a program in memory has of its own. */
export interface AssembledProgramOptions {
  /** An empty one by default. */
  readonly kernel?: FakeKernel;
  /** Opens the source of objects. By default no API server is asked: the test reports them. */
  readonly openObjects?: Environment['openObjects'];
}

/** The whole program on a kernel in memory, with its HTTP servers on loopback. The test reports objects and moves the time. */
export class AssembledProgram {
  readonly clock: ManualClock = manualClock();
  readonly kernel: FakeKernel;
  readonly log: ProgramLog & RecordingLogger = Object.assign(recordingLogger(), {
    lost: () => ({ leftOut: 0, dropped: 0 }),
    end: () => undefined,
    tail: () => this.log.lines().join('\n'),
  });
  /** Kernel settings as readers of the node see them. */
  readonly sysctls: Record<string, string> = {
    'net/ipv4/ip_forward': '1',
    'net/ipv4/vs/conntrack': '1',
  };
  /** How many readers of the node were closed. */
  closedReaders = 0;
  readonly #stop = new AbortController();
  #onChange: ((change: Change) => void) | undefined;
  #run: Promise<void> = Promise.resolve();

  private constructor(kernel: FakeKernel) {
    this.kernel = kernel;
  }

  /** Starts the program. Its health and metrics servers listen on free ports of loopback, if the configuration has them. */
  static async start(
    config: ProxyConfig,
    { kernel = new FakeKernel(), ...environment }: AssembledProgramOptions = {},
  ): Promise<AssembledProgram> {
    const program = new AssembledProgram(kernel);
    const assembled = await assemble(
      {
        config: {
          ...config,
          healthz: config.healthz && anyPort,
          metrics: config.metrics && anyPort,
        },
        log: program.log,
        configFile: undefined,
        environment: { ...program.#environment(), ...environment },
      },
      program.#stop.signal,
    );
    if (assembled === undefined) throw new Error('the program was stopped before its start');
    program.#run = assembled.run(program.#stop.signal);
    return program;
  }

  /** Reports changes as a source does. */
  report(...changes: readonly Change[]): void {
    for (const change of changes) this.#onChange?.(change);
  }

  /** Reports that all objects were reported, and waits for the first sync. */
  async sync(): Promise<void> {
    for (const kind of ['Service', 'EndpointSlice', 'Node'] as const)
      this.report({ type: 'synced', kind });
    await this.clock.advance(0);
  }

  /** The URL of a server that listens: `health server` or `metrics server`. */
  async url(server: string): Promise<string> {
    for (;;) {
      const record = this.log.records.find(({ message }) => message === `${server} listens`);
      if (record !== undefined) return `http://${String(record.fields['address'])}`;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Stops the program as a signal does. Throws what it ended with. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#run;
  }

  #environment(): Environment {
    const { clock, kernel } = this;
    return {
      clock,
      names: { take: () => ({ close() {} }), holder: () => 'unknown' },
      openObjects: async (options) => ({
        ...(await openObjects({ ...options, config: { ...options.config, source: noServer } })),
        parts: [],
        source: {
          run: async (onChange, signal) => {
            this.#onChange = onChange;
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
          },
        },
      }),
      openKernel: async () => ({ kernel, canReset: true, close() {} }),
      openIpvsReader: () => ({
        virtualServers: () => kernel.ipvs.virtualServers(),
        realServers: (id) => kernel.ipvs.realServers(id),
        close() {},
      }),
      openNodeReader: async () => ({
        sources: {
          ...readInterfaces(kernel),
          sysctl: new FakeSysctl({ values: this.sysctls }),
          sysfs: new FakeSysctl({ values: {} }),
        },
        close: () => void this.closedReaders++,
      }),
      isEstimating: () => true,
      ownProcess: () => new FakeSysctl({ values: { oom_score_adj: '0' } }),
    };
  }
}

function readInterfaces(kernel: FakeKernel): Omit<NodeSources, 'sysctl' | 'sysfs'> {
  const { ipvs, ipsets, links, ruleTables: rules, nftTables } = kernel;
  const { conntrack, connections, neighbours } = kernel;
  return { ipvs, ipsets, links, rules, nftTables, conntrack, connections, neighbours };
}
