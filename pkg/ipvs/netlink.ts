import { errnoOf, type Failure, isUnsupported, KernelError } from '../errno/errno.ts';
import type { IpAddress } from '../ip/address.ts';
import { type Connection, type ConnectionOptions, openConnection } from '../netlink/connection.ts';
import type { DumpOptions } from '../netlink/dump.ts';
import {
  type GenericCommand,
  GenericFamily,
  type GenericSink,
  NETLINK_GENERIC,
} from '../netlink/generic.ts';
import { DecodeError } from '../wire/reader.ts';
import { RealServerCommands } from './answers.ts';
import * as commands from './commands.ts';
import { printVersion, serviceIdOf, virtualServerOf } from './convert.ts';
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
import type { EmptyMessage } from './schema.ts';
import { DestEncoder, DestIdEncoder, ServiceEncoder, templated } from './templates.ts';

/** Options of the connection to IPVS. */
export interface NetlinkIpvsOptions
  extends Pick<ConnectionOptions, 'netns' | 'trace' | 'timeout' | 'onError'> {
  /** Called once if the kernel has no IPVS. Afterwards the kernel is asked again. */
  readonly loadModule?: (name: string) => void;
}

/** Opens IPVS. Throws EOPNOTSUPP with advice if the kernel has none. */
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

/** IPVS of a network namespace over generic netlink. Made by {@link openIpvs}. The caller closes it. */
export class NetlinkIpvs implements Ipvs {
  readonly #connection: Connection;
  readonly #family: GenericFamily;
  /** How many dumps are running. */
  #dumps = 0;
  readonly #writing = { put: putterOf(hotRows()), describe: printWrite };
  readonly #realServerCommands = new RealServerCommands();

  constructor(connection: Connection, family: GenericFamily) {
    this.#connection = connection;
    this.#family = family;
  }

  write(batch: readonly IpvsWrite[]): readonly Failure[] {
    if (this.#dumps > 0) throw new Error('a write during a dump: the kernel would lose objects');
    return this.#family.batch(batch, this.#writing);
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

  async realServers(
    id: VirtualServerId,
    addresses?: ReadonlySet<IpAddress>,
  ): Promise<readonly RealServerStatus[]> {
    const realServers: RealServerStatus[] = [];
    const commandsFor = this.#realServerCommands;
    await this.#dump(
      addresses === undefined ? commandsFor.all(id) : commandsFor.among(id, addresses),
      { service: serviceIdOf(id) },
      {
        operation: `list real servers of ${printVirtualServer(id)}`,
        onReply(realServer) {
          if (realServer !== undefined) realServers.push(realServer);
        },
        onRestart() {
          realServers.length = 0;
        },
      },
    );
    return realServers;
  }

  /** Runs a dump. Writes are refused meanwhile, as the kernel would leave objects out of the dump without an error. */
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

  /** Closes the sockets. */
  close(): void {
    this.#connection.close();
  }

  #only<Reply>(command: GenericCommand<EmptyMessage, Reply>, operation: string): Reply {
    const [reply] = this.#family.request(command, {}, operation);
    if (reply === undefined) throw new KernelError(operation, 'EBADMSG', { detail: 'no answer' });
    return reply;
  }
}

type HotRows = ReturnType<typeof hotRows>;

/** The commands for writes that come by the thousand. */
function hotRows() {
  return {
    newService: templated(commands.newService, (table) => new ServiceEncoder(table)),
    setService: templated(commands.setService, (table) => new ServiceEncoder(table)),
    newDest: templated(commands.newDest, (table) => new DestEncoder(table)),
    setDest: templated(commands.setDest, (table) => new DestEncoder(table)),
    deleteDest: templated(commands.deleteDest, (table) => new DestIdEncoder(table)),
  };
}

/** Puts the message of a write. */
function putterOf({ newService, setService, newDest, setDest, deleteDest }: HotRows) {
  return (write: IpvsWrite, sink: GenericSink): void => {
    switch (write.kind) {
      case 'addVirtualServer':
        return sink.put(newService, write.virtualServer);
      case 'updateVirtualServer':
        return sink.put(setService, write.virtualServer);
      case 'deleteVirtualServer':
        return sink.put(commands.deleteService, { service: serviceIdOf(write.virtualServer) });
      case 'addRealServer':
        return sink.put(newDest, write);
      case 'updateRealServer':
        return sink.put(setDest, write);
      case 'deleteRealServer':
        return sink.put(deleteDest, write);
    }
  };
}
