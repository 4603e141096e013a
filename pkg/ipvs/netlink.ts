import { errnoOf, type Failure, isUnsupported, KernelError } from '../errno/errno.ts';
import { addressFamily } from '../netlink/addresses.ts';
import { type Connection, type ConnectionOptions, openConnection } from '../netlink/connection.ts';
import type { DumpOptions } from '../netlink/dump.ts';
import {
  type GenericCommand,
  GenericFamily,
  type GenericSink,
  NETLINK_GENERIC,
} from '../netlink/generic.ts';
import { DecodeError } from '../wire/reader.ts';
import * as commands from './commands.ts';
import {
  type Ipvs,
  type IpvsInfo,
  type IpvsTimeouts,
  type IpvsWrite,
  printVirtualServer,
  type RealServerStatus,
  type VirtualServerId,
  type VirtualServerStatus,
} from './ipvs.ts';
import { printWrite } from './print.ts';
import type { EmptyMessage, ServiceId } from './schema.ts';
import {
  destIdOf,
  destOf,
  printVersion,
  realServerOf,
  serviceIdOf,
  serviceOf,
  virtualServerOf,
} from './translate.ts';

/** Where and how to reach the kernel. */
export interface NetlinkIpvsOptions extends Pick<ConnectionOptions, 'netns' | 'trace' | 'timeout'> {
  /** Tried once if the kernel has no IPVS; whether it helped is then asked of the kernel. */
  readonly loadModule?: (name: string) => void;
}

/** Opens IPVS; throws EOPNOTSUPP with advice if the kernel has none. */
export function openIpvs({ loadModule, ...options }: NetlinkIpvsOptions = {}): NetlinkIpvs {
  const connection = openConnection(NETLINK_GENERIC, options);
  try {
    const family = new GenericFamily(connection, commands.IPVS_GENL_NAME);
    find(family, loadModule);
    return new NetlinkIpvs(connection, family);
  } catch (error) {
    connection.close();
    throw error;
  }
}

function find(family: GenericFamily, loadModule: ((name: string) => void) | undefined): void {
  try {
    family.id();
  } catch (error) {
    if (!isUnsupported(error)) throw error;
    if (loadModule !== undefined) {
      loadModule('ip_vs');
      find(family, undefined);
      return;
    }
    throw new KernelError('open IPVS', 'EOPNOTSUPP', {
      detail:
        'the kernel has no IPVS: load the module ip_vs (modprobe ip_vs), or run a kernel with CONFIG_IP_VS',
      cause: error,
    });
  }
}

/** IPVS of a network namespace over generic netlink. Made by {@link openIpvs}; whoever opened it closes it. */
export class NetlinkIpvs implements Ipvs {
  readonly #connection: Connection;
  readonly #family: GenericFamily;
  /** How many dumps are under way. */
  #dumps = 0;
  #last: { readonly id: VirtualServerId; readonly words: ServiceId } | undefined;

  constructor(connection: Connection, family: GenericFamily) {
    this.#connection = connection;
    this.#family = family;
  }

  write(batch: readonly IpvsWrite[]): readonly Failure[] {
    if (this.#dumps > 0) throw new Error('a write during a dump: the kernel would lose objects');
    return this.#family.batch(batch, { put: this.#put, describe: printWrite });
  }

  async virtualServers(): Promise<readonly VirtualServerStatus[]> {
    const virtualServers: VirtualServerStatus[] = [];
    await this.#dump(
      commands.listServices,
      {},
      {
        operation: 'list virtual servers',
        onReply({ service }) {
          const virtualServer = virtualServerOf(service);
          if (virtualServer !== undefined) virtualServers.push(virtualServer);
        },
        onRestart() {
          virtualServers.length = 0;
        },
      },
    );
    return virtualServers;
  }

  virtualServer(id: VirtualServerId): VirtualServerStatus | undefined {
    const operation = `read virtual server ${printVirtualServer(id)}`;
    try {
      const [reply] = this.#family.request(
        commands.getService,
        { service: serviceIdOf(id) },
        operation,
      );
      return reply === undefined ? undefined : virtualServerOf(reply.service);
    } catch (cause) {
      if (errnoOf(cause) === 'ESRCH') return undefined;
      if (!(cause instanceof DecodeError)) throw cause;
      throw new KernelError(operation, 'EBADMSG', { detail: cause.message, cause });
    }
  }

  async realServers(id: VirtualServerId): Promise<readonly RealServerStatus[]> {
    const virtualServers: RealServerStatus[] = [];
    const family = addressFamily(id.address);
    await this.#dump(
      commands.listDests,
      { service: serviceIdOf(id) },
      {
        operation: `list real servers of ${printVirtualServer(id)}`,
        onReply: ({ dest }) => virtualServers.push(realServerOf(dest, family)),
        onRestart() {
          virtualServers.length = 0;
        },
      },
    );
    return virtualServers;
  }

  /** The kernel loses objects out of a dump during which something is written, and does not say so. */
  async #dump<Request, Reply>(
    command: GenericCommand<Request, Reply>,
    value: Request,
    options: DumpOptions<Reply>,
  ): Promise<void> {
    this.#dumps++;
    try {
      await this.#family.dump(command, value, options);
    } finally {
      this.#dumps--;
    }
  }

  info(): IpvsInfo {
    const { version, connectionTableSize } = this.#only(commands.getInfo, 'read IPVS info');
    return { version: printVersion(version), connectionTableSize };
  }

  timeouts(): IpvsTimeouts {
    return this.#only(commands.getConfig, 'read IPVS timeouts');
  }

  setTimeouts(timeouts: IpvsTimeouts): void {
    this.#family.request(commands.setConfig, timeouts, 'set IPVS timeouts');
  }

  readonly #put = (write: IpvsWrite, sink: GenericSink): void => {
    switch (write.kind) {
      case 'addVirtualServer':
        return sink.put(commands.newService, { service: serviceOf(write.virtualServer) });
      case 'updateVirtualServer':
        return sink.put(commands.setService, { service: serviceOf(write.virtualServer) });
      case 'deleteVirtualServer':
        return sink.put(commands.deleteService, {
          service: this.#serviceIdOf(write.virtualServer),
        });
      case 'addRealServer':
        return sink.put(commands.newDest, {
          service: this.#serviceIdOf(write.virtualServer),
          dest: destOf(write.realServer),
        });
      case 'updateRealServer':
        return sink.put(commands.setDest, {
          service: this.#serviceIdOf(write.virtualServer),
          dest: destOf(write.realServer),
        });
      case 'deleteRealServer':
        return sink.put(commands.deleteDest, {
          service: this.#serviceIdOf(write.virtualServer),
          dest: destIdOf(write.realServer),
        });
    }
  };

  /** Neighbouring writes are mostly about one virtual server: its words are kept for the next one. */
  #serviceIdOf(id: VirtualServerId): ServiceId {
    if (this.#last?.id !== id) this.#last = { id, words: serviceIdOf(id) };
    return this.#last.words;
  }

  /** Closes its sockets. */
  close(): void {
    this.#connection.close();
  }

  #only<Reply>(command: GenericCommand<EmptyMessage, Reply>, operation: string): Reply {
    const [reply] = this.#family.request(command, {}, operation);
    if (reply === undefined) throw new KernelError(operation, 'EBADMSG', { detail: 'no answer' });
    return reply;
  }
}
