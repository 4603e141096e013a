import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isNotFound } from '../../pkg/errno/errno.ts';
import type { NftTableId, NftTables } from '../../pkg/nftables/nftables.ts';

/** What the suite needs of an implementation, made anew for each test. */
export interface NftTablesSubject {
  readonly nftTables: NftTables;
  /** Somebody else makes a table with a chain in it. */
  addTable(table: NftTableId): void;
  /** Somebody else makes a table of another family: `inet one`. */
  addOther(name: string): void;
  /** The tables as `nft list tables` prints them. */
  readBack(): string;
  dispose(): void;
}

/** What every implementation of {@link NftTables} does. */
export function nftTablesContract(name: string, make: () => NftTablesSubject): void {
  describe(name, () => {
    let subject: NftTablesSubject;
    beforeEach(() => {
      subject = make();
    });
    afterEach(() => subject.dispose());

    test('tables of both families are listed', async () => {
      subject.addTable({ family: 'IPv4', name: 'one' });
      subject.addTable({ family: 'IPv6', name: 'two' });
      expect(await subject.nftTables.tables()).toEqual([
        { family: 'IPv4', name: 'one' },
        { family: 'IPv6', name: 'two' },
      ]);
    });
    test('tables of other families are listed apart, as nft writes them', async () => {
      for (const name of ['inet one', 'arp two', 'netdev three', 'bridge four'])
        subject.addOther(name);
      subject.addTable({ family: 'IPv4', name: 'one' });
      const others = [...(await subject.nftTables.otherTables())].toSorted();
      expect(others).toEqual(['arp two', 'bridge four', 'inet one', 'netdev three']);
      expect(await subject.nftTables.tables()).toEqual([{ family: 'IPv4', name: 'one' }]);
    });
    test('where there is none, the list is empty', async () => {
      expect(await subject.nftTables.otherTables()).toEqual([]);
      expect(await subject.nftTables.tables()).toEqual([]);
    });
    test('a deleted table is gone, the one of the other family stays', () => {
      subject.addTable({ family: 'IPv4', name: 'one' });
      subject.addTable({ family: 'IPv6', name: 'one' });
      subject.nftTables.deleteTable({ family: 'IPv4', name: 'one' });
      expect(subject.readBack()).toBe('table ip6 one\n');
    });
    test('one that is not there is not found, and the next call works', () => {
      subject.addTable({ family: 'IPv6', name: 'two' });
      const deleteNone = () => subject.nftTables.deleteTable({ family: 'IPv4', name: 'none' });
      expect(deleteNone).toThrow(
        expect.toSatisfy((error: unknown) => isNotFound(error)) as unknown as Error,
      );
      subject.nftTables.deleteTable({ family: 'IPv6', name: 'two' });
      expect(subject.readBack()).toBe('');
    });
  });
}
