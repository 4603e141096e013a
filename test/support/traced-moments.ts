import { familyOf, type IpAddress } from '../../pkg/ip/address.ts';
import type { Packet } from '../../pkg/trace/packet.ts';
import type { KernelState } from '../../pkg/trace/state.ts';
import { trace } from '../../pkg/trace/trace.ts';
import type { PrintedState } from './kernel-state.ts';
import { outcomeOf } from './outcome.ts';
import type { FakeKernel } from './proxier.ts';
import { savedState } from './saved-state.ts';

/**
 * Every state that a kernel in memory passes through, taken before each single write: what a client that never pauses could meet while
 * a proxier works.
 */
export class TracedMoments {
  readonly #kernel: FakeKernel;
  #moments: (PrintedState & { state?: KernelState })[] = [];
  #last = '';

  constructor(kernel: FakeKernel) {
    this.#kernel = kernel;
    const note = () => {
      this.#note();
      return undefined;
    };
    kernel.ipvs.fail = note;
    kernel.ipsets.failWith = note;
    kernel.links.failWith = note;
    kernel.firewall.failWith = note;
  }

  /** What became of a packet in each state since the last {@link forget}, in order and without repetitions. */
  outcomes(packet: Packet, nameOf: (address: IpAddress) => string): readonly string[] {
    this.#note();
    const all = this.#moments.map((printed) =>
      outcomeOf(trace((printed.state ??= savedState(printed)), packet).verdict, nameOf),
    );
    return all.filter((outcome, index) => outcome !== all[index - 1]);
  }

  /** Begins anew with the state as it is. */
  forget(): void {
    this.#moments = [];
    this.#last = '';
    this.#note();
  }

  #note(): void {
    const { ipvs, ipsets, links, firewall } = this.#kernel;
    const printed = {
      ipvs: ipvs.dump(),
      addresses: printAddresses(links.dump()),
      sets: ipsets.dump(),
      IPv4: firewall.dump('IPv4'),
      IPv6: firewall.dump('IPv6'),
      sysctls: '',
    };
    const text = JSON.stringify(printed);
    if (text === this.#last) return;
    this.#last = text;
    this.#moments.push(printed);
  }
}

/** As `ip -o addr` prints them. */
function printAddresses(dump: string): string {
  const printed: string[] = [];
  let link = '';
  for (const line of dump.split('\n')) {
    const [, address] = /^ {2}(\S+)\/\d+$/.exec(line) ?? [];
    if (address === undefined) link = line.split(' ')[0] ?? '';
    else {
      const inet = familyOf(address as IpAddress) === 'IPv4' ? 'inet' : 'inet6';
      printed.push(`1: ${link}    ${inet} ${line.trim()} scope global`);
    }
  }
  return printed.join('\n');
}
