import { type ErrnoCode, KernelError } from '../errno/errno.ts';
import { type ClientConnection, printAbort, printChallenge, type Resetter } from './reset.ts';

/** A resetter that records instead of sending. */
export class FakeResetter implements Resetter {
  readonly challenged: ClientConnection[] = [];
  readonly aborted: ClientConnection[] = [];
  /** Returns the code that a challenge or an abort fails with. */
  failWith: (connection: ClientConnection) => ErrnoCode | undefined = () => undefined;

  challenge(connection: ClientConnection): boolean {
    const code = this.failWith(connection);
    if (code !== undefined) throw new KernelError(`send SYN ${printChallenge(connection)}`, code);
    this.challenged.push(connection);
    return true;
  }

  abort(connection: ClientConnection): boolean {
    const code = this.failWith(connection);
    if (code !== undefined) throw new KernelError(`send RST ${printAbort(connection)}`, code);
    this.aborted.push(connection);
    return true;
  }
}
