import { type Failure, KernelError } from '../errno/errno.ts';
import { AF_INET } from '../netlink/addresses.ts';
import type { BatchFailure } from '../netlink/batch.ts';
import type { Connection } from '../netlink/connection.ts';
import type { Command } from '../netlink/message.ts';
import { fillLastAttribute } from '../wire/attributes.ts';
import { type Codec, decode, type Encoder } from '../wire/codec.ts';
import { DecodeError } from '../wire/reader.ts';
import type { Writer } from '../wire/writer.ts';
import { commands } from './commands.ts';
import { inWords } from './errors.ts';
import { type EntryWrite, printEntryWrite } from './ipset.ts';
import { EntryWriter } from './templates.ts';

interface NumberedWrite {
  readonly index: number;
  readonly write: EntryWrite;
}

/** How many entries one message may have: the longest takes 84 bytes, and the attribute with all of them 65,535. */
const longestRun = 768;

/**
 * Writes entries, many in a message. The kernel stops at the first entry that it refuses and returns its line. The entries behind
 * it are sent in the next message. A batch has at most one message for each set, so that the order within a set is kept.
 */
export function writeEntries(
  connection: Pick<Connection, 'batch'>,
  { batch, rows }: { batch: readonly EntryWrite[]; rows: EntryCommands },
): readonly Failure[] {
  const { queues, failures } = queuesOf(batch);
  let waiting = queues;
  while (waiting.length > 0) {
    const runs = waiting.map((queue) => queue.next());
    const refused = connection.batch(runs, {
      put: (run, sink) => sink.put(run[0]?.write.kind === 'addEntry' ? rows.add : rows.delete, run),
      describe: ([first]) => `write to set ${first?.write.set}`,
    });
    const refusals = new Map(refused.map((refusal) => [refusal.index, refusal]));
    for (const [at, queue] of waiting.entries()) failures.push(...queue.settle(refusals.get(at)));
    waiting = waiting.filter((queue) => !queue.isEmpty);
  }
  return failures.sort((one, other) => one.index - other.index);
}

/** The writes by set. Ports are the only numbers of an entry that may not fit their attribute. */
function queuesOf(batch: readonly EntryWrite[]): { queues: readonly Queue[]; failures: Failure[] } {
  const queues = new Map<string, Queue>();
  const failures: Failure[] = [];
  for (const [index, write] of batch.entries()) {
    const port = 'port' in write.entry ? write.entry.port : 0;
    if ((port & 0xffff) !== port) {
      const error = new KernelError(printEntryWrite(write), 'ERANGE', {
        detail: `no port: ${port}`,
      });
      failures.push({ index, error });
      continue;
    }
    const queue = queues.get(write.set) ?? new Queue();
    queues.set(write.set, queue);
    queue.writes.push({ index, write });
  }
  return { queues: [...queues.values()], failures };
}

/** Writes to one set, all additions or all deletions, and at least one. */
type Run = readonly NumberedWrite[];

/** Encodes IPSET_CMD_ADD and IPSET_CMD_DEL: the table encodes an empty list, and templates fill it. */
export class RunEncoder implements Encoder<Run> {
  readonly table: Codec<unknown> = commands.add.request as Codec<unknown>; // that of deleting is the same
  readonly #protocol: number;
  readonly #entries = new EntryWriter();

  constructor(protocol: number) {
    this.#protocol = protocol;
  }

  encode(writer: Writer, run: Run): void {
    const name = run[0]?.write.set ?? '';
    const body = { protocol: this.#protocol, name, line: 0, list: { entries: [] } };
    commands.add.request.encode(writer, { family: AF_INET, body });
    fillLastAttribute(writer, () => {
      for (let at = 0; at < run.length; at++) {
        const { write } = run[at] as NumberedWrite; // within the list
        this.#entries.put(writer, write.entry, { line: at + 1 });
      }
    });
  }
}

/** The commands that write entries. */
export class EntryCommands {
  readonly add: Command<Run, unknown>;
  readonly delete: Command<Run, unknown>;

  /** `protocol`: IPSET_PROTOCOL. */
  constructor(protocol: number) {
    const request = new RunEncoder(protocol);
    this.add = { ...commands.add, request };
    this.delete = { ...commands.delete, request };
  }
}

/** The writes to one set that are not done yet. */
class Queue {
  readonly writes: NumberedWrite[] = [];
  #at = 0;
  #run: readonly NumberedWrite[] = [];
  /** Shrinks if much is refused; otherwise a full set would get the same thousands again and again. */
  #limit = longestRun;

  get isEmpty(): boolean {
    return this.#at === this.writes.length;
  }

  /** The next writes that fit into one message, all additions or all deletions. */
  next(): readonly NumberedWrite[] {
    const kind = this.writes[this.#at]?.write.kind;
    let end = this.#at;
    while (end < this.writes.length && end - this.#at < this.#limit) {
      if (this.writes[end]?.write.kind !== kind) break;
      end++;
    }
    this.#run = this.writes.slice(this.#at, end);
    return this.#run;
  }

  /** Marks the last run as done up to the entry that was refused. Returns the failures. */
  settle(refusal: BatchFailure | undefined): readonly Failure[] {
    const run = this.#run;
    if (refusal === undefined) {
      this.#at += run.length;
      this.#limit = Math.min(longestRun, this.#limit * 2);
      return [];
    }
    const line = refusedLine(refusal);
    this.#at += line ?? run.length;
    this.#limit = Math.max(1, this.#limit >> 2);
    const refused = line === undefined ? run : run.slice(line - 1, line);
    return refused.map(({ index, write }) => ({ index, error: entryError(write, refusal.error) }));
  }
}

/** The line of the refused entry, from 1; `undefined` if the kernel refused the whole message. */
function refusedLine({ echo }: BatchFailure): number | undefined {
  if (echo.length === 0) return undefined;
  try {
    return decode(commands.add.request, echo).body.line || undefined;
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

function entryError(write: EntryWrite, { code, detail, cause }: KernelError): KernelError {
  const error = new KernelError(printEntryWrite(write), code, { detail, cause });
  return inWords(error, write.entry.type);
}
