import type { KubeLog } from '../metrics.ts';
import type { Kind } from '../types.ts';
import type { Client, RequestOptions, WatchOptions } from './client.ts';
import { ApiError } from './error.ts';
import { checkListHead, listVersion } from './shape.ts';

/** Which objects are requested, and where. */
export interface Selection {
  readonly kind: Kind;
  /** For example `/api/v1/services`. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Whether the field selector only saves work, so that it may be left out for a server that does not support it. */
  readonly isFieldSelectorOptional?: boolean;
}

/** Options of a list. */
export interface KindListOptions extends RequestOptions {
  readonly ownConnection?: boolean;
  /** Called with each item. If it throws, the list ends. */
  readonly onItem?: (item: unknown) => void;
}

/** Lists and watches the objects of one selection. Refuses lists of another kind. */
export class KindClient {
  readonly #selection: Selection;
  readonly #client: Client;
  readonly #log: KubeLog;
  #usesFieldSelector: boolean;

  constructor(selection: Selection, { client, log }: { client: Client; log: KubeLog }) {
    this.#selection = selection;
    this.#client = client;
    this.#log = log;
    this.#usesFieldSelector = selection.fieldSelector !== undefined;
  }

  /** Reads all objects and returns the version of the list. Throws a MalformedError if the answer is no list of the kind. */
  async list({ query, onItem = () => {}, ...options }: KindListOptions): Promise<string> {
    const { kind, path } = this.#selection;
    const list = await this.#client.list(path, {
      ...options,
      query: { ...this.#selectors(), ...query },
      onHead: (head) => checkListHead(kind, head),
      onItems(items) {
        for (const item of items) onItem(item);
      },
    });
    return listVersion(kind, list);
  }

  /** Passes on the events of a watch as they arrive, until the server ends it. */
  async watch({ query, ...options }: WatchOptions): Promise<void> {
    const always = { watch: 'true', allowWatchBookmarks: 'true' };
    await this.#client.watch(this.#selection.path, {
      ...options,
      query: { ...this.#selectors(), ...always, ...query },
    });
  }

  /** Whether a request that failed may work without the field selector. */
  canDropFieldSelector(error: unknown): boolean {
    return (
      this.#usesFieldSelector &&
      this.#selection.isFieldSelectorOptional === true &&
      error instanceof ApiError &&
      error.status === 400
    );
  }

  /** Leaves out the field selector from now on. */
  dropFieldSelector(): void {
    const { fieldSelector, kind } = this.#selection;
    this.#usesFieldSelector = false;
    this.#log.info(`the server does not know ${fieldSelector}, asking for every ${kind}`);
  }

  #selectors(): Record<string, string> {
    const { labelSelector, fieldSelector } = this.#selection;
    return {
      ...(labelSelector !== undefined && { labelSelector }),
      ...(fieldSelector !== undefined && this.#usesFieldSelector && { fieldSelector }),
    };
  }
}
