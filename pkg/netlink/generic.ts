import { errnoOf, isUnsupported, KernelError } from '../errno/errno.ts';
import { attributes, optional } from '../wire/attributes.ts';
import {
  type Codec,
  cstring,
  type Decoder,
  type Encoder,
  u16,
  type ValueOf,
} from '../wire/codec.ts';
import { prefixed } from '../wire/struct.ts';
import type { BatchFailure, BatchOptions, MessageSink } from './batch.ts';
import type { Connection } from './connection.ts';
import { type DumpOptions, listOf } from './dump.ts';
import type { Command } from './message.ts';

/** NETLINK_GENERIC of linux/netlink.h. */
export const NETLINK_GENERIC = 16;

/** A command of a generic netlink family, whose number is only known at run time. */
export interface GenericCommand<Request, Reply> {
  readonly name: string;
  /** NLM_F_*, see {@link Command}. */
  readonly flags: number;
  readonly request: Encoder<Request>;
  readonly reply: Decoder<Reply>;
}

/** A command whose messages are encoded and decoded by tables. */
export interface GenericTableCommand<Request, Reply> extends GenericCommand<Request, Reply> {
  readonly request: Codec<Request>;
  readonly reply: Codec<Reply>;
}

/** Makes a command of a generic netlink family: genlmsghdr, then the attributes. */
export function genericCommand<Request, Reply>(row: {
  readonly name: string;
  readonly command: number;
  readonly version: number;
  readonly flags?: number;
  readonly request: Codec<Request>;
  readonly reply: Codec<Reply>;
}): GenericTableCommand<Request, Reply> {
  const header = [row.command, row.version, 0, 0];
  return {
    name: row.name,
    flags: row.flags ?? 0,
    request: prefixed(header, row.request),
    reply: prefixed(header, row.reply),
  };
}

/** CTRL_ATTR of linux/genetlink.h, the part that finds a family. */
export const controlAttributes = attributes('CTRL_ATTR', {
  familyId: optional(1, u16), // FAMILY_ID
  familyName: optional(2, cstring), // FAMILY_NAME
});

type ControlAttributes = ValueOf<typeof controlAttributes>;

const GENL_ID_CTRL = 0x10;

/** Looks up the number of a family. */
export const getFamily: Command<ControlAttributes, ControlAttributes> = {
  ...genericCommand({
    name: 'CTRL_CMD_GETFAMILY',
    command: 3,
    version: 1,
    request: controlAttributes,
    reply: controlAttributes,
  }),
  type: GENL_ID_CTRL,
};

/** The part of a connection that is used, for commands of one family. */
export interface GenericSink {
  put<Request>(command: GenericCommand<Request, unknown>, value: Request): void;
}

/** How items are turned into messages of a family, see {@link BatchOptions}. */
export interface GenericBatchOptions<T> extends Omit<BatchOptions<T>, 'put'> {
  readonly put: (item: T, sink: GenericSink) => void;
}

/** Puts messages of a family. Those of a batch mostly have one command, or two in turns. */
class FamilySink implements GenericSink {
  inner: MessageSink | undefined;
  readonly #rowOf: <Request>(
    command: GenericCommand<Request, unknown>,
  ) => Command<Request, unknown>;
  #last: GenericCommand<never, unknown> | undefined;
  #lastRow: Command<never, unknown> | undefined;

  constructor(
    rowOf: <Request>(command: GenericCommand<Request, unknown>) => Command<Request, unknown>,
  ) {
    this.#rowOf = rowOf;
  }

  put<Request>(command: GenericCommand<Request, unknown>, value: Request): void {
    if (this.#last !== command) {
      this.#lastRow = this.#rowOf(command);
      this.#last = command;
    }
    this.inner?.put(this.#lastRow as Command<Request, unknown>, value); // that of this command
  }
}

/**
 * One family of generic netlink. Its number is looked up once, and again after ENOENT, as a module that was unloaded and loaded
 * again has another one. What failed with ENOENT is then tried again with the new number.
 */
export class GenericFamily {
  readonly #connection: Connection;
  readonly #name: string;
  /** Weak, as a command may be made for one request. */
  #commands = new WeakMap<GenericCommand<unknown, unknown>, Command<unknown, unknown>>();
  #id: number | undefined;

  constructor(connection: Connection, name: string) {
    this.#connection = connection;
    this.#name = name;
  }

  /** The family's number. Throws EOPNOTSUPP if the kernel has no such family. */
  id(): number {
    this.#id ??= this.#resolve();
    return this.#id;
  }

  /** Like {@link Connection.request}. */
  request<Request, Reply>(
    command: GenericCommand<Request, Reply>,
    value: Request,
    operation: string,
  ): readonly Reply[] {
    try {
      return this.#connection.request(this.#row(command), value, operation);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || !this.#changed()) throw error;
      return this.#connection.request(this.#row(command), value, operation);
    }
  }

  /** Like {@link Connection.batch}. Without the family every item fails with EOPNOTSUPP. */
  batch<T>(items: readonly T[], options: GenericBatchOptions<T>): readonly BatchFailure[] {
    const failures = this.#tryBatch(items, options);
    const lost = failures.filter(({ error }) => error.code === 'ENOENT').map(({ index }) => index);
    if (lost.length === 0 || !this.#changed()) return failures;
    const again = this.#tryBatch(
      lost.map((index) => items[index] as T), // indexes of failures are indexes of items
      options,
    );
    return [
      ...failures.filter(({ error }) => error.code !== 'ENOENT'),
      ...again.map((failure) => ({ ...failure, index: lost[failure.index] ?? 0 })),
    ].sort((one, other) => one.index - other.index);
  }

  #tryBatch<T>(items: readonly T[], options: GenericBatchOptions<T>): readonly BatchFailure[] {
    try {
      this.id();
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      const { code, message } = error;
      return items.map((item, index) => ({
        index,
        error: new KernelError(options.describe(item), code, { detail: message, cause: error }),
        echo: new Uint8Array(0),
      }));
    }
    const { put } = options;
    const sink = new FamilySink((command) => this.#row(command));
    return this.#connection.batch(items, {
      ...options,
      put(item, inner) {
        sink.inner = inner;
        put(item, sink);
      },
    });
  }

  /** Like {@link Connection.dump}. */
  async dump<Request, Reply>(
    command: GenericCommand<Request, Reply>,
    value: Request,
    options: DumpOptions<Reply>,
  ): Promise<void> {
    try {
      await this.#connection.dump(this.#row(command), value, options);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || !this.#changed()) throw error;
      options.onRestart();
      await this.#connection.dump(this.#row(command), value, options);
    }
  }

  /** Like {@link Connection.list}. */
  list<Request, Reply>(
    command: GenericCommand<Request, Reply>,
    value: Request,
    operation: string,
  ): Promise<readonly Reply[]> {
    return listOf((handlers) => this.dump(command, value, { operation, ...handlers }));
  }

  #row<Request, Reply>(command: GenericCommand<Request, Reply>): Command<Request, Reply> {
    let row = this.#commands.get(command);
    if (row === undefined) {
      row = { ...command, type: this.id() };
      this.#commands.set(command, row);
    }
    return row as Command<Request, Reply>; // made from this very command
  }

  /** Looks up the number again. False if it is the same as before. */
  #changed(): boolean {
    const before = this.#id;
    this.#commands = new WeakMap();
    this.#id = undefined;
    try {
      return this.id() !== before;
    } catch (error) {
      if (isUnsupported(error)) return true;
      throw error;
    }
  }

  #resolve(): number {
    const operation = `find generic netlink family ${this.#name}`;
    try {
      const [reply] = this.#connection.request(getFamily, { familyName: this.#name }, operation);
      if (reply?.familyId !== undefined) return reply.familyId;
      throw new KernelError(operation, 'EBADMSG', { detail: 'no number in the answer' });
    } catch (error) {
      // ENOENT would look like that of an object.
      if (errnoOf(error) !== 'ENOENT') throw error;
      throw new KernelError(operation, 'EOPNOTSUPP', {
        detail: 'the kernel has none',
        cause: error,
      });
    }
  }
}
