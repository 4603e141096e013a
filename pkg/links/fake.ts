import { type ErrnoCode, type Failure, KernelError } from '../errno/errno.ts';
import { addressBits, familyOf, type IpAddress, parseAddress } from '../ip/address.ts';
import { AddressChanges } from './changes.ts';
import { type AddressWrite, type LinkAddress, type Links, printAddressWrite } from './links.ts';

/** One call of the fake, or one write of a batch. */
export type LinksCall =
  | { readonly call: 'ensureDummy' | 'hasLink' | 'isDummy' | 'deleteLink'; readonly name: string }
  | { readonly call: 'addresses' | 'watch' }
  | { readonly call: 'write'; readonly write: AddressWrite };

interface Device {
  readonly index: number;
  readonly kind: string;
  readonly addresses: Map<IpAddress, number>;
}

/** IFNAMSIZ of linux/if.h is 16, the final NUL included. */
const longestName = 15;

/** Devices and addresses in memory, with a loopback device to begin with. */
export class FakeLinks implements Links {
  /** How often each call was made; `write` counts batches. */
  readonly calls = {
    ensureDummy: 0,
    hasLink: 0,
    isDummy: 0,
    deleteLink: 0,
    addresses: 0,
    write: 0,
    watch: 0,
  };
  /** Returns the code that a call, or a single write of a batch, fails with. */
  failWith: (call: LinksCall) => ErrnoCode | undefined = () => undefined;
  readonly #devices = new Map<string, Device>();
  readonly #watches = new Set<AddressChanges>();
  #lastIndex = 0;

  constructor() {
    this.addLink('lo', 'loopback');
    for (const [text, length] of [
      ['127.0.0.1', 8],
      ['::1', 128],
    ] as const) {
      const address = parseAddress(text);
      if (address !== undefined) this.#devices.get('lo')?.addresses.set(address, length);
    }
  }

  ensureDummy(name: string): boolean {
    const operation = `create dummy device ${name}`;
    this.calls.ensureDummy++;
    this.#inject(operation, { call: 'ensureDummy', name });
    if (name === '' || name.length > longestName) throw new KernelError(operation, 'ERANGE');
    const device = this.#devices.get(name);
    if (device === undefined) this.addLink(name, 'dummy');
    else if (device.kind !== 'dummy') {
      throw new KernelError(operation, 'EEXIST', { detail: `there is one of kind ${device.kind}` });
    }
    return device === undefined;
  }

  hasLink(name: string): boolean {
    this.calls.hasLink++;
    this.#inject(`read device ${name}`, { call: 'hasLink', name });
    return this.#devices.has(name);
  }

  isDummy(name: string): boolean {
    this.calls.isDummy++;
    this.#inject(`read device ${name}`, { call: 'isDummy', name });
    return this.#devices.get(name)?.kind === 'dummy';
  }

  deleteLink(name: string): void {
    const operation = `delete device ${name}`;
    this.calls.deleteLink++;
    this.#inject(operation, { call: 'deleteLink', name });
    const device = this.#devices.get(name);
    if (device === undefined) throw new KernelError(operation, 'ENODEV');
    this.#devices.delete(name);
    if (device.addresses.size > 0) this.#report(device);
  }

  async addresses(): Promise<readonly LinkAddress[]> {
    this.calls.addresses++;
    this.#inject('list addresses', { call: 'addresses' });
    return [...this.#devices].flatMap(([link, { addresses }]) =>
      [...addresses].map(([address, prefixLength]) => ({ link, address, prefixLength })),
    );
  }

  async names(): Promise<ReadonlyMap<number, string>> {
    return new Map([...this.#devices].map(([name, { index }]) => [index, name]));
  }

  write(batch: readonly AddressWrite[]): readonly Failure[] {
    this.calls.write++;
    return batch.flatMap((write, index) => {
      const code = this.failWith({ call: 'write', write }) ?? this.#write(write);
      if (code === undefined) return [];
      return [{ index, error: new KernelError(printAddressWrite(write), code) }];
    });
  }

  watch(
    onChange: () => void,
    { except, signal }: { except: string; signal: AbortSignal },
  ): Promise<void> {
    this.calls.watch++;
    this.#inject('watch addresses', { call: 'watch' });
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const changes = new AddressChanges(() => this.#devices.get(except)?.index, onChange);
    this.#watches.add(changes);
    const close = () => {
      this.#watches.delete(changes);
      changes.close();
      resolve();
    };
    signal.addEventListener('abort', close, { once: true });
    return promise;
  }

  /** Creates a device, as another program does. */
  addLink(name: string, kind: string): void {
    this.#devices.set(name, { index: ++this.#lastIndex, kind, addresses: new Map() });
  }

  /** Adds an address with any prefix length, as another program does. */
  addAddress({ link, address, prefixLength }: LinkAddress): void {
    const device = this.#device(link);
    device.addresses.set(address, prefixLength);
    this.#report(device);
  }

  /** Removes an address, as another program does. */
  removeAddress({ link, address }: { link: string; address: IpAddress }): void {
    const device = this.#device(link);
    if (device.addresses.delete(address)) this.#report(device);
  }

  /** Whether any device has an address. */
  hasAddress(address: IpAddress): boolean {
    return [...this.#devices.values()].some(({ addresses }) => addresses.has(address));
  }

  /** Loses events, as the kernel does when there are too many. */
  overflow(): void {
    for (const changes of this.#watches) changes.onLost();
  }

  /** How many watches run. */
  watching(): number {
    return this.#watches.size;
  }

  /** A line for each device, `kube-ipvs0 dummy`, and below it one for each address, sorted: `  172.30.0.1/32`. */
  dump(): string {
    return [...this.#devices]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .flatMap(([name, { kind, addresses }]) => [
        `${name} ${kind}`,
        ...[...addresses].map(([address, length]) => `  ${address}/${length}`).sort(),
      ])
      .join('\n');
  }

  #write({ kind, link, address }: AddressWrite): ErrnoCode | undefined {
    const device = this.#devices.get(link);
    if (device === undefined) return 'ENODEV';
    const had = device.addresses.has(address);
    if (kind === 'unbindAddress') device.addresses.delete(address);
    else if (!had) device.addresses.set(address, addressBits(familyOf(address)));
    if (had === (kind === 'unbindAddress')) this.#report(device);
    return undefined;
  }

  #device(name: string): Device {
    const device = this.#devices.get(name);
    if (device === undefined) throw new KernelError(`find device ${name}`, 'ENODEV');
    return device;
  }

  #report({ index }: Device): void {
    for (const changes of this.#watches) changes.on(index);
  }

  #inject(operation: string, call: LinksCall): void {
    const code = this.failWith(call);
    if (code !== undefined) throw new KernelError(operation, code);
  }
}
