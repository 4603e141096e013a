import type { Problem } from '../../kube/types.ts';

/** What a Service asks for by annotations. Read once, when the Service is entered; every front end of it carries this value. */
export interface ServiceOptions {
  /** How long its real servers may drain, in milliseconds; 0 for no limit, `undefined` if it does not say. */
  readonly drainTimeout?: number | undefined;
  /** Its scheduler; `undefined` for the one that is configured. */
  readonly scheduler?: string | undefined;
  /** Whether `sh` and `mh` hash the client's port too; `undefined` for what the scheduler does unasked. */
  readonly hashesSourcePort?: boolean | undefined;
  /** How many connections a real server may have before it gets no new ones; `undefined` or 0 for no limit. */
  readonly connectionLimit?: number | undefined;
  /** Whoever has an address is the same pod, whatever its uid: sessions go on when a virtual machine moves with its address. */
  readonly keepsSessionsByAddress?: boolean | undefined;
  /** What could not be understood, and counts as not said. */
  readonly problems: readonly Problem[];
}

/** Of a Service that asks for nothing. */
export const noOptions: ServiceOptions = { problems: [] };
