import { type ErrnoCode, KernelError } from '../errno/errno.ts';
import { type ClientConnection, printChallenge, type Resetter } from './reset.ts';

/** A resetter that keeps what it was to send. */
export class FakeResetter implements Resetter {
  readonly challenged: ClientConnection[] = [];
  /** Fails a challenge with the code it returns. */
  failWith: (connection: ClientConnection) => ErrnoCode | undefined = () => undefined;

  challenge(connection: ClientConnection): void {
    const code = this.failWith(connection);
    if (code !== undefined) throw new KernelError(`send SYN ${printChallenge(connection)}`, code);
    this.challenged.push(connection);
  }
}
