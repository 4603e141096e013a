import { type ErrnoCode, type Failure, KernelError } from '../errno/errno.ts';
import { protocolLabel } from '../ip/protocol.ts';
import {
  type Conntrack,
  type Flow,
  type FlowFilter,
  isAskedFor,
  type NewFlow,
  printFlow,
  reversed,
  type Tuple,
} from './conntrack.ts';

/** IPS_SEEN_REPLY and IPS_CONFIRMED, the status of such a flow in the kernel. */
const answered = 0x2 | 0x8;

/** One call of the fake, or one flow of a batch. */
export type ConntrackCall =
  | { readonly call: 'dump'; readonly filter: FlowFilter }
  | { readonly call: 'delete'; readonly flow: Flow }
  | { readonly call: 'add'; readonly flow: NewFlow };

/** A connection tracking table in memory. */
export class FakeConntrack implements Conntrack {
  isFiltering = true;
  /** How often each call was made; `delete` and `add` count batches. */
  readonly calls = { dump: 0, delete: 0, add: 0 };
  /** Returns the code that a dump, or the deletion or addition of one flow, fails with. */
  failWith: (call: ConntrackCall) => ErrnoCode | undefined = () => undefined;
  readonly #flows = new Map<string, Flow>();
  /** How many flows have these ends in one of their directions. */
  readonly #directions = new Map<string, number>();
  #nextId = 1;

  async dump(filter: FlowFilter, onFlow: (flow: Flow) => void): Promise<void> {
    this.calls.dump++;
    this.#inject('dump flows', { call: 'dump', filter });
    for (const flow of this.#flows.values()) {
      if (isAskedFor(filter, flow)) onFlow(flow);
    }
  }

  delete(flows: readonly Flow[]): number {
    this.calls.delete++;
    let count = 0;
    let failure: KernelError | undefined;
    for (const flow of flows) {
      try {
        if (this.#delete(flow)) count++;
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
    return count;
  }

  add(flows: readonly NewFlow[]): readonly Failure[] {
    this.calls.add++;
    return flows.flatMap((flow, index) => {
      const operation = `add flow ${printFlow(flow)}`;
      const reply = reversed(flow.original);
      const isTaken = [flow.original, reply].some((original) => {
        const count = this.#directions.get(flowKey({ ...flow, original, zone: 0 }));
        return count !== undefined && count > 0;
      });
      const code = this.failWith({ call: 'add', flow }) ?? (isTaken ? 'EEXIST' : undefined);
      if (code !== undefined) return [{ index, error: new KernelError(operation, code) }];
      this.insert({ ...flow, reply, zone: 0, mark: 0, status: answered });
      return [];
    });
  }

  /** Adds a flow, as a packet would. Throws EEXIST if there is one with its original tuple. */
  insert(flow: Omit<Flow, 'id'>): Flow {
    const key = flowKey(flow);
    const held = { ...flow, id: this.#nextId++ };
    if (this.#flows.has(key)) throw new KernelError(`insert ${printFlow(held)}`, 'EEXIST');
    this.#flows.set(key, held);
    this.#count(held, 1);
    return held;
  }

  /** The flows as `conntrack -L` prints them, one in each line, sorted, without what the fake does not have. */
  print(): string {
    return [...this.#flows.values()].map(printLine).sort().join('\n');
  }

  #delete(flow: Flow): boolean {
    const code = this.failWith({ call: 'delete', flow });
    if (code !== undefined)
      throw new KernelError(`delete flow ${printFlow(flow)}`, code, { detail: 'injected' });
    const held = this.#flows.get(flowKey(flow));
    if (held === undefined || (flow.id !== undefined && flow.id !== held.id)) return false;
    this.#count(held, -1);
    return this.#flows.delete(flowKey(flow));
  }

  /** Counts how many flows have these ends in one of their directions. */
  #count({ protocol, original, reply, zone }: Omit<Flow, 'id'>, by: 1 | -1): void {
    for (const tuple of [original, reply]) {
      const key = flowKey({ protocol, original: tuple, zone });
      this.#directions.set(key, (this.#directions.get(key) ?? 0) + by);
    }
  }

  #inject(operation: string, call: ConntrackCall): void {
    const code = this.failWith(call);
    if (code !== undefined) throw new KernelError(operation, code, { detail: 'injected' });
  }
}

function flowKey({
  protocol,
  original,
  zone,
}: Pick<Flow, 'protocol' | 'original' | 'zone'>): string {
  return `${zone} ${protocol} ${printTuple(original)}`;
}

function printLine({ protocol, original, reply, zone, mark, tcpState }: Flow): string {
  const parts = [
    protocolLabel(protocol),
    tcpState ?? '',
    printTuple(original),
    printTuple(reply),
    `mark=${mark}`,
  ];
  if (zone !== 0) parts.push(`zone=${zone}`);
  return parts.filter((part) => part !== '').join(' ');
}

function printTuple({ source, destination, sourcePort, destinationPort }: Tuple): string {
  return `src=${source} dst=${destination} sport=${sourcePort} dport=${destinationPort}`;
}
