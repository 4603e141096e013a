import { KernelError } from '../errno/errno.ts';
import { type NftTableId, type NftTables, printNftTable } from './nftables.ts';

/** nf_tables in memory, with the names of tables only. */
export class FakeNftTables implements NftTables {
  readonly #tables = new Map<string, NftTableId>();

  /** Tables of other families than IPv4 and IPv6: `inet firewalld`. */
  readonly others: string[] = [];

  /** Creates a table, as another program does. */
  addTable(table: NftTableId): void {
    this.#tables.set(printNftTable(table), table);
  }

  async tables(): Promise<readonly NftTableId[]> {
    return [...this.#tables.values()];
  }

  async otherTables(): Promise<readonly string[]> {
    return [...this.others];
  }

  deleteTable(table: NftTableId): void {
    const name = printNftTable(table);
    if (!this.#tables.delete(name))
      throw new KernelError(`delete nf_tables table ${name}`, 'ENOENT');
  }

  /** The tables, one a line, as `nft list tables` prints them. */
  dump(): string {
    return [...this.#tables.keys()].map((name) => `table ${name}\n`).join('');
  }
}
