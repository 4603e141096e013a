import { FakeIpvs } from '../../../pkg/ipvs/fake.ts';
import type {
  IpvsInfo,
  IpvsTimeouts,
  IpvsWrite,
  RealServerStatus,
  VirtualServerId,
  VirtualServerStatus,
} from '../../../pkg/ipvs/ipvs.ts';
import { NetlinkIpvs } from '../../../pkg/ipvs/netlink.ts';
import { Connection } from '../../../pkg/netlink/connection.ts';
import { GenericFamily } from '../../../pkg/netlink/generic.ts';
import { acceptingSocket } from '../accepting-socket.ts';

/** Nobody has to be asked for its number. */
class SomeFamily extends GenericFamily {
  override id(): number {
    return 30;
  }
}

/** IPVS where the kernel has none: messages are made and sent to a socket that accepts them, and what they ask for is kept in memory. */
class StandInIpvs extends NetlinkIpvs {
  readonly #kept = new FakeIpvs();

  override write(batch: readonly IpvsWrite[]): ReturnType<NetlinkIpvs['write']> {
    super.write(batch);
    return this.#kept.write(batch);
  }

  override virtualServers(): Promise<readonly VirtualServerStatus[]> {
    return this.#kept.virtualServers();
  }

  override virtualServer(id: VirtualServerId): VirtualServerStatus | undefined {
    return this.#kept.virtualServer(id);
  }

  override realServers(
    ...asked: Parameters<NetlinkIpvs['realServers']>
  ): Promise<readonly RealServerStatus[]> {
    return this.#kept.realServers(...asked);
  }

  override info(): IpvsInfo {
    return this.#kept.info();
  }

  override timeouts(): IpvsTimeouts {
    return this.#kept.timeouts();
  }
}

/** Takes the place of the function of `pkg/ipvs/netlink.ts`. */
export function openIpvs(): NetlinkIpvs {
  const connection = new Connection(() => acceptingSocket(), { timeout: 1_000 });
  return new StandInIpvs(connection, new SomeFamily(connection, 'IPVS'));
}
