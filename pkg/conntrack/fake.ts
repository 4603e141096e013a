import { type ErrnoCode, KernelError } from '../errno/errno.ts';
import { familyOf } from '../ip/address.ts';
import { protocolLabel } from '../ip/protocol.ts';
import { type Conntrack, type Flow, type FlowFilter, printFlow, type Tuple } from './conntrack.ts';

/** One question to the fake, or one flow of a delete. */
export type ConntrackCall =
  | { readonly call: 'dump'; readonly filter: FlowFilter }
  | { readonly call: 'delete'; readonly flow: Flow };

/** A connection tracking table in memory. */
export class FakeConntrack implements Conntrack {
  /** How often each call was made; `delete` counts batches. */
  readonly calls = { dump: 0, delete: 0 };
  /** Fails a dump, or the delete of one flow, with the code it returns. */
  failWith: (call: ConntrackCall) => ErrnoCode | undefined = () => undefined;
  readonly #flows = new Map<string, Flow>();
  #nextId = 1;

  async dump(filter: FlowFilter, onFlow: (flow: Flow) => void): Promise<void> {
    this.calls.dump++;
    this.#inject('dump flows', { call: 'dump', filter });
    for (const flow of this.#flows.values()) {
      if (familyOf(flow.original.source) !== filter.family) continue;
      if (filter.protocol === undefined || filter.protocol === flow.protocol) onFlow(flow);
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

  /** Puts a flow into the table, as a packet would; EEXIST if there is one with its original tuple. */
  insert(flow: Omit<Flow, 'id'>): Flow {
    const key = flowKey(flow);
    const held = { ...flow, id: this.#nextId++ };
    if (this.#flows.has(key)) throw new KernelError(`insert ${printFlow(held)}`, 'EEXIST');
    this.#flows.set(key, held);
    return held;
  }

  /** One flow a line as `conntrack -L` prints it, without what the fake does not know, sorted. */
  print(): string {
    return [...this.#flows.values()].map(printLine).sort().join('\n');
  }

  #delete(flow: Flow): boolean {
    const code = this.failWith({ call: 'delete', flow });
    if (code !== undefined)
      throw new KernelError(`delete flow ${printFlow(flow)}`, code, { detail: 'injected' });
    const held = this.#flows.get(flowKey(flow));
    if (held === undefined || (flow.id !== undefined && flow.id !== held.id)) return false;
    return this.#flows.delete(flowKey(flow));
  }

  #inject(operation: string, call: ConntrackCall): void {
    const code = this.failWith(call);
    if (code !== undefined) throw new KernelError(operation, code, { detail: 'injected' });
  }
}

function flowKey({ protocol, original, zone }: Omit<Flow, 'id'>): string {
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
