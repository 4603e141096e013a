import { FakeLinks } from '../../../pkg/links/fake.ts';
import { firstWriteLine } from '../first-write.ts';

/** Devices and addresses in memory. Takes the place of `pkg/links/netlink.ts`; reports when the first one is written. */
export class NetlinkLinks extends FakeLinks {
  #hasWritten = false;

  override ensureDummy(name: string): boolean {
    if (!this.#hasWritten) console.log(firstWriteLine);
    this.#hasWritten = true;
    return super.ensureDummy(name);
  }
}
