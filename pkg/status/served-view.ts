import type { ProxierView } from '../proxy/view.ts';

/** What is known of what a node serves: by a proxier, or by whoever reads the kernel and the objects. */
export type ServedView = Pick<
  ProxierView,
  'store' | 'pods' | 'ledger' | 'mirror' | 'graceful' | 'retries' | 'unhonoured' | 'entryFailure'
>;
