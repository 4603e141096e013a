import { type Failure, isNotFound } from '../errno/errno.ts';
import type { Ipvs, IpvsWrite } from '../ipvs/ipvs.ts';
import type { Mirror } from './mirror.ts';

/** A write to IPVS, and whose pod the real server is if it is about one. */
export interface ServerWrite {
  readonly write: IpvsWrite;
  readonly podUid?: string;
}

/** Writes to IPVS and keeps the mirror true: the only way to change virtual and real servers. */
export class ServerWriter {
  readonly #ipvs: Ipvs;
  readonly #mirror: Mirror;

  constructor({ ipvs, mirror }: { ipvs: Ipvs; mirror: Mirror }) {
    this.#ipvs = ipvs;
    this.#mirror = mirror;
  }

  /** Tries every write in order; the failed ones by index. */
  write(batch: readonly ServerWrite[]): readonly Failure[] {
    if (batch.length === 0) return [];
    const failures = this.#ipvs.write(batch.map(({ write }) => write));
    const failed = new Set(failures.map(({ index }) => index));
    for (const [index, { write, podUid }] of batch.entries()) {
      if (!failed.has(index)) this.#mirror.recordWrite(write, podUid);
    }
    for (const { index, error } of failures) {
      const write = batch[index]?.write;
      // What was to be deleted and is not there is as it should be, whoever did it.
      if (write !== undefined && isDeletion(write) && isNotFound(error))
        this.#mirror.recordWrite(write);
    }
    return failures;
  }
}

function isDeletion({ kind }: IpvsWrite): boolean {
  return kind === 'deleteRealServer' || kind === 'deleteVirtualServer';
}
