import { errnoOf, KernelError } from '../errno/errno.ts';
import type { Family } from '../ip/address.ts';
import type { Connection } from '../netlink/connection.ts';
import { NFNL_SUBSYS_NFTABLES } from '../netlink/netfilter.ts';
import { type NftTableId, type NftTables, printNftTable } from './nftables.ts';
import {
  deleteTable,
  getTable,
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFPROTO_UNSPEC,
  otherFamilies,
} from './schema.ts';

/** nf_tables over netlink. Takes a connection of NETLINK_NETFILTER, which the caller closes. */
export class NetlinkNftTables implements NftTables {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async tables(): Promise<readonly NftTableId[]> {
    const replies = await this.#list();
    return replies.flatMap(({ family: number, body: { name } }): readonly NftTableId[] => {
      const family = familyOf(number);
      return name === undefined || family === undefined ? [] : [{ family, name }];
    });
  }

  async otherTables(): Promise<readonly string[]> {
    const replies = await this.#list();
    return replies.flatMap(({ family, body: { name } }) => {
      if (name === undefined || familyOf(family) !== undefined) return [];
      return [`${otherFamilies[family] ?? `family ${family}`} ${name}`];
    });
  }

  #list() {
    const operation = 'list the tables of nf_tables';
    const request = { family: NFPROTO_UNSPEC, body: {} };
    return this.#connection.list(getTable, request, operation).catch((error) => {
      throw asMissing(operation, error);
    });
  }

  deleteTable(id: NftTableId): void {
    const family = id.family === 'IPv4' ? NFPROTO_IPV4 : NFPROTO_IPV6;
    this.#connection.transaction(NFNL_SUBSYS_NFTABLES, {
      command: deleteTable,
      value: { family, body: { name: id.name } },
      operation: `delete nf_tables table ${printNftTable(id)}`,
    });
  }
}

function familyOf(number: number): Family | undefined {
  if (number === NFPROTO_IPV4) return 'IPv4';
  return number === NFPROTO_IPV6 ? 'IPv6' : undefined;
}

/** Turns EINVAL into a missing support: nfnetlink answers so if no module has registered the subsystem. */
function asMissing(operation: string, error: unknown): unknown {
  if (errnoOf(error) !== 'EINVAL') return error;
  const detail = 'the kernel has no nf_tables';
  return new KernelError(operation, 'EOPNOTSUPP', { detail, cause: error });
}
