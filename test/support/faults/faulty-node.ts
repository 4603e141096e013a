import type { Change } from '../../../pkg/kube/types.ts';
import type { ProxierSettings } from '../../../pkg/proxy/options.ts';
import type { Reporter } from '../../../pkg/proxy/reporter.ts';
import { FakeResetter } from '../../../pkg/reset/fake.ts';
import { seconds } from '../../../pkg/runner/clock.ts';
import { manualClock } from '../../../pkg/runner/manual-clock.ts';
import { FakeSysctl } from '../../../pkg/sysctl/fake.ts';
import { FakeKernel, type Reports, recordingReporter, Stand } from '../proxier.ts';
import { kernelSettings, preparedSettings } from '../settings.ts';
import type { FaultSource } from './fault.ts';
import { faultyKernel, type KernelInterfaces } from './faulty-kernel.ts';
import { LogWatch } from './log-watch.ts';

/** What goes wrong on a {@link FaultyNode}. */
export interface NodeFaults {
  /** Of calls of the kernel. */
  readonly draw: FaultSource;
  /** Asked whenever anything else is called that may throw: the reporter, the log, what a Service asks for. */
  readonly strikes: () => boolean;
}

/** A node on which everything that the proxier calls may fail, and on which it may be killed and started again. */
export class FaultyNode {
  readonly clock = manualClock();
  readonly kernel: FakeKernel;
  readonly watch: LogWatch;
  /** As IPVS mode needs them, until somebody changes them. */
  readonly sysctl = new FakeSysctl({ values: preparedSettings });
  readonly #faults: NodeFaults;
  readonly #settings: Partial<ProxierSettings>;
  readonly #resetter = new FakeResetter();
  #life: Life;

  constructor(
    faults: NodeFaults,
    {
      kernel = new FakeKernel({ remembersDeleted: true }),
      isLogLimited = true,
      settings = {},
    }: {
      kernel?: FakeKernel;
      isLogLimited?: boolean;
      settings?: Partial<ProxierSettings>;
    } = {},
  ) {
    this.kernel = kernel;
    this.#faults = faults;
    this.#settings = settings;
    this.watch = new LogWatch(this.clock, { breaks: faults.strikes, isLimited: isLogLimited });
    this.#life = this.#start();
  }

  /** The proxier that runs now. */
  get stand(): Stand {
    return this.#life.stand;
  }

  /** The reports of the proxier that runs now. */
  get reports(): Reports {
    return this.#life.reports;
  }

  /** Whether the proxier that runs now has ended its first sync. */
  get hasSynced(): boolean {
    return this.#life.reports.isFirstSyncDone;
  }

  /** Nothing that the program does reaches the kernel any more, and another program starts, to which these objects are reported. */
  async restart(changes: readonly Change[]): Promise<void> {
    await this.kill();
    this.watch.forget();
    this.#life = this.#start();
    this.stand.report(...changes);
    await this.stand.sync();
  }

  /** Ends the program as a signal does that leaves it no time: what it still has to do is not done. */
  async kill(): Promise<void> {
    this.#life.isDead = true;
    await this.stop();
  }

  /** Ends the program in good order. */
  async stop(): Promise<void> {
    await this.#life.stand.stop();
  }

  #start(): Life {
    const life: { isDead: boolean } = { isDead: false };
    const { draw } = this.#faults;
    const interfaces = this.#interfaces((call) =>
      life.isDead ? { code: 'EIO', isDone: false } : draw(call),
    );
    const { clock, kernel } = this;
    const { log } = this.watch;
    const { sysctl } = interfaces;
    const settings = kernelSettings({ sysctl, clock, log });
    const reports = recordingReporter();
    const stand = new Stand({
      ...interfaces,
      kernel,
      clock,
      log,
      settings,
      resetsWaitingClients: true,
      reporter: this.#reporter(reports),
      // Short, so that drains come to their ends between faults.
      drains: { mode: 'pod', timeout: seconds(30) },
      serviceOptionsOf: () => {
        this.#mayThrow('what a Service asks for');
        return { drainTimeout: undefined, problems: [] };
      },
      ...this.#settings,
    });
    return Object.assign(life, { stand, reports });
  }

  #interfaces(faults: FaultSource): KernelInterfaces {
    const { ipvs, connections, ipsets, links, routes, firewall, conntrack } = this.kernel;
    const { neighbours } = this.kernel;
    const resetter = this.#resetter;
    const sysctl = this.sysctl;
    const reached = { ipvs, connections, ipsets, links, routes, firewall, conntrack };
    return faultyKernel({ ...reached, neighbours, resetter, sysctl }, faults);
  }

  /** A reporter each of whose methods may throw, after it has kept the report. */
  #reporter(reports: Reports): Reporter {
    return new Proxy(reports, {
      get: (_, name) => {
        const value: unknown = Reflect.get(reports, name, reports);
        if (typeof value !== 'function') return value;
        return (...values: readonly unknown[]) => {
          Reflect.apply(value, reports, values);
          this.#mayThrow(`the reporter's ${String(name)}`);
        };
      },
    });
  }

  #mayThrow(what: string): void {
    if (this.#faults.strikes()) throw new Error(`${what} is broken`);
  }
}

/** One run of the program. */
interface Life {
  isDead: boolean;
  readonly stand: Stand;
  readonly reports: Reports;
}
