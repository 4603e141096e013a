import { FakeNftTables } from '../../pkg/nftables/fake.ts';
import { nftTablesContract } from './nftables.ts';

nftTablesContract('the fake nf_tables', () => {
  const nftTables = new FakeNftTables();
  return {
    nftTables,
    addTable: (table) => nftTables.addTable(table),
    addOther: (name) => nftTables.others.push(name),
    readBack: () => nftTables.dump(),
    dispose: () => undefined,
  };
});
