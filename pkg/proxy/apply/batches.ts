import { messageCount } from '../plan/add-real-servers.ts';
import type { Operation } from '../plan/operation.ts';
import type { Stage } from '../reporter.ts';

/** How many messages of a kind go into one call, so that none holds the event loop for long. Those to IPVS are sent by 64. */
const batchSizes = { ipvs: 192, entry: 2048, address: 64, route: 512 } as const;

/** Which interface of the kernel carries an operation out. */
type Interface = keyof typeof batchSizes | 'other';

/** The stage that writing through an interface belongs to. */
const stageByInterface = {
  ipvs: 'apply_ipvs',
  entry: 'apply_entries',
  address: 'apply_addresses',
  route: 'apply_addresses',
  other: 'apply_other',
} as const satisfies Record<Interface, Stage>;

/** The stage that carrying out a batch belongs to. */
export function stageOf(batch: readonly Operation[]): Stage {
  const first = batch[0];
  return stageByInterface[first === undefined ? 'other' : interfaceOf(first)];
}

/** Which interface of the kernel carries an operation out; the others have calls of their own. */
export function interfaceOf({ kind }: Operation): Interface {
  switch (kind) {
    case 'addEntry':
    case 'deleteEntry':
      return 'entry';
    case 'bindAddress':
    case 'unbindAddress':
      return 'address';
    case 'addRoute':
    case 'deleteRoute':
      return 'route';
    case 'addVirtualServer':
    case 'updateVirtualServer':
    case 'deleteVirtualServer':
    case 'addRealServer':
    case 'addRealServers':
    case 'weighRealServer':
    case 'drainRealServer':
    case 'replaceRealServer':
    case 'deleteRealServer':
      return 'ipvs';
    case 'makeDevice':
    case 'createSet':
    case 'swapSets':
    case 'destroySet':
    case 'setRules':
    case 'withdrawRules':
    case 'removeLeftovers':
    case 'forgetFlows':
    case 'reconcileFlows':
      return 'other';
  }
}

/** Groups neighbouring operations of one kind, up to the batch size in messages. Kinds without batches come one by one. */
export function batches(operations: readonly Operation[]): readonly (readonly Operation[])[] {
  const found: (readonly Operation[])[] = [];
  const head = operations[0];
  if (head === undefined) return found;
  let first = 0;
  let current = interfaceOf(head);
  let messages = messageCount(head);
  for (let next = 1; next <= operations.length; next++) {
    const operation = operations[next];
    const coming = operation && interfaceOf(operation);
    const limit = current === 'other' ? 1 : batchSizes[current];
    const more = operation === undefined ? 0 : messageCount(operation);
    messages += more;
    if (coming === current && messages <= limit) continue;
    found.push(next - first === operations.length ? operations : operations.slice(first, next));
    first = next;
    messages = more;
    current = coming ?? current;
  }
  return found;
}
