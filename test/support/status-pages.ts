import { manualClock } from '../../pkg/runner/manual-clock.ts';
import { ConnectionReader } from '../../pkg/status/connections.ts';
import { History } from '../../pkg/status/history.ts';
import { nodeStatusOf } from '../../pkg/status/node-status.ts';
import { StatusPages } from '../../pkg/status/pages.ts';
import type { StatusReport } from '../../pkg/status/report.ts';
import { recordingReporter, Stand, type StandOptions } from './proxier.ts';

/** A proxier on a kernel in memory whose status is asked for. */
export class ShownStand extends Stand {
  readonly pages: StatusPages;
  /** How often a connection to IPVS was opened for reading connections, and closed. */
  opened = 0;
  closed = 0;

  /** `now` is the time by which pages let the event loop turn; the manual clock's unless given. */
  constructor(options: StandOptions & { readonly now?: () => number } = {}) {
    const clock = options.clock ?? manualClock();
    const history = new History(clock);
    const reporter = Object.assign(recordingReporter(), {
      synced: history.synced.bind(history),
      repaired: history.repaired.bind(history),
    });
    super({ ...options, clock, reporter });
    const open = () => {
      this.opened++;
      return {
        realServers: this.kernel.ipvs.realServers.bind(this.kernel.ipvs),
        close: () => void this.closed++,
      };
    };
    const { view } = this.proxier;
    const sources = { view, history, name: 'here', program: 'v1' };
    this.pages = new StatusPages({
      view,
      nodeStatus: nodeStatusOf(sources, clock),
      connections: new ConnectionReader({ open, clock }),
      clock: { ...clock, now: options.now ?? (() => clock.now()) },
    });
  }

  /** The page that some parameters ask for. Throws what is wrong with them. */
  async page(parameters = ''): Promise<StatusReport> {
    const answer = await this.pages.answer(
      new URLSearchParams(parameters),
      new AbortController().signal,
    );
    if ('problem' in answer) throw new Error(answer.problem);
    return JSON.parse(answer.json) as StatusReport;
  }
}
