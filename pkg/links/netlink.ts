import { type Failure, isExists, isNotFound, isUnsupported, KernelError } from '../errno/errno.ts';
import { AF_INET, AF_INET6 } from '../netlink/addresses.ts';
import type { Connection } from '../netlink/connection.ts';
import { EventSocket } from '../netlink/events.ts';
import type { ValueOf } from '../wire/codec.ts';
import { type FoundAddress, listAddresses } from './answers.ts';
import { AddressChanges } from './changes.ts';
import { type AddressWrite, type LinkAddress, type Links, printAddressWrite } from './links.ts';
import {
  anyLink,
  deleteLink,
  getLink,
  type link,
  linkAddressHeader,
  NETLINK_ROUTE,
  newLink,
  RTEXT_FILTER_SKIP_STATS,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
} from './schema.ts';
import { addressCommands } from './templates.ts';

type Link = ValueOf<typeof link>;

/** Each message holds the RTNL lock, and adding takes quadratic time: short groups let other programs in between. */
const groupSize = 64;
/** The size of the buffer for events, in bytes. The events of our own writes arrive too; it has room for 10,000. */
const ownWrites = 8 << 20;

/** Options of the socket for events. */
interface EventSocketOptions {
  /** The path of the connection's network namespace, if it is not this process's own. */
  readonly netns: string | undefined;
  readonly receiveBuffer: number;
}

/** Devices and addresses over rtnetlink. Takes a connection of NETLINK_ROUTE, which the caller closes. */
export class NetlinkLinks implements Links {
  readonly #connection: Connection;
  readonly #events: EventSocketOptions;
  readonly #onLost: () => void;
  readonly #writes = addressCommands();
  readonly #list = listAddresses();

  /** `onLost` is called each time that the kernel dropped events. */
  constructor(
    connection: Connection,
    {
      netns,
      eventBuffer = ownWrites,
      onLost = () => undefined,
    }: { netns?: string; eventBuffer?: number; onLost?: () => void } = {},
  ) {
    this.#connection = connection;
    this.#events = { netns, receiveBuffer: eventBuffer };
    this.#onLost = onLost;
  }

  ensureDummy(name: string): boolean {
    const operation = `create dummy device ${name}`;
    try {
      const value = { ...anyLink, attributes: { name, info: { kind: 'dummy' } } };
      this.#connection.request(newLink, value, operation);
      return true;
    } catch (error) {
      if (isUnsupported(error)) {
        const detail = 'kernel module dummy is missing: modprobe dummy';
        throw new KernelError(operation, 'EOPNOTSUPP', { detail, cause: error });
      }
      if (!isExists(error)) throw error;
    }
    const kind = this.#find(name)?.attributes.info?.kind ?? 'unknown';
    if (kind === 'dummy') return false;
    throw new KernelError(operation, 'EEXIST', { detail: `there is one of kind ${kind}` });
  }

  hasLink(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  isDummy(name: string): boolean {
    return this.#find(name)?.attributes.info?.kind === 'dummy';
  }

  deleteLink(name: string): void {
    const value = { ...anyLink, attributes: { name } };
    this.#connection.request(deleteLink, value, `delete device ${name}`);
  }

  async addresses(): Promise<readonly LinkAddress[]> {
    // One dump for each family, as further families have addresses of unknown lengths.
    const messages = [...(await this.#dump(AF_INET)), ...(await this.#dump(AF_INET6))];
    const names = await this.names();
    return messages.flatMap(({ index, prefixLength, address }) => {
      const name = names.get(index);
      // Without a name, the device was deleted meanwhile, with its addresses.
      return address === undefined || name === undefined
        ? []
        : [{ link: name, address, prefixLength }];
    });
  }

  async names(): Promise<ReadonlyMap<number, string>> {
    const value = { ...anyLink, attributes: { filter: RTEXT_FILTER_SKIP_STATS } };
    const links = await this.#connection.list(getLink, value, 'list devices');
    return new Map(links.map(({ index, attributes }) => [index, attributes.name ?? '']));
  }

  write(batch: readonly AddressWrite[]): readonly Failure[] {
    const names = new Set(batch.map((write) => write.link));
    const indexes = new Map([...names].map((name) => [name, this.#find(name)?.index]));
    const isPossible = ([, write]: Item) => indexes.get(write.link) !== undefined;
    const items: readonly Item[] = [...batch.entries()];
    const possible = items.filter(isPossible);
    const failures: Failure[] = items
      .filter((item) => !isPossible(item))
      .map(([index, write]) => ({
        index,
        error: new KernelError(printAddressWrite(write), 'ENODEV'),
      }));
    const failed = this.#connection.batch(possible, {
      put: ([, { kind, link: name, address }], sink) => {
        const command = kind === 'bindAddress' ? this.#writes.new : this.#writes.delete;
        sink.put(command, { address, index: indexes.get(name) ?? 0 });
      },
      describe: ([, write]) => printAddressWrite(write),
      groupSize,
    });
    for (const { index: position, error } of failed) {
      const item = possible[position];
      if (item !== undefined && !isDone(item[1], error)) failures.push({ index: item[0], error });
    }
    return failures.sort((one, other) => one.index - other.index);
  }

  watch(
    onChange: () => void,
    { except, signal }: { except: string; signal: AbortSignal },
  ): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const changes = new AddressChanges(() => this.#find(except)?.index, onChange);
    const socket = new EventSocket(NETLINK_ROUTE, {
      groups: [RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR],
      ...this.#events,
      onMessage: ({ reader }) => changes.on(linkAddressHeader.decode(reader).index),
      onOverflow: () => {
        this.#onLost();
        changes.onLost();
      },
    });
    function close(): void {
      socket.close();
      changes.close();
      resolve();
    }
    signal.addEventListener('abort', close, { once: true });
    return promise;
  }

  #find(name: string): Link | undefined {
    try {
      const value = { ...anyLink, attributes: { name, filter: RTEXT_FILTER_SKIP_STATS } };
      return this.#connection.request(getLink, value, `read device ${name}`)[0];
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #dump(family: number): Promise<readonly FoundAddress[]> {
    const value = { family, prefixLength: 0, flags: 0, scope: 0, index: 0, attributes: {} };
    return this.#connection.list(this.#list, value, 'list addresses');
  }
}

/** A write with its index in the batch. */
type Item = readonly [index: number, write: AddressWrite];

/** Whether the error means that the state is as wanted already. */
function isDone({ kind }: AddressWrite, error: KernelError): boolean {
  return kind === 'bindAddress' ? isExists(error) : error.code === 'EADDRNOTAVAIL';
}
