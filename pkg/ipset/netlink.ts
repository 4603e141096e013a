import { type ErrnoCode, errnoOf, type Failure, KernelError } from '../errno/errno.ts';
import { AF_INET } from '../netlink/addresses.ts';
import type { Connection } from '../netlink/connection.ts';
import type { NetfilterMessage } from '../netlink/netfilter.ts';
import type { ValueOf } from '../wire/codec.ts';
import { EntryLister } from './answers.ts';
import { commands } from './commands.ts';
import { fromListReply, toHeaderData } from './convert.ts';
import { EntryCommands, writeEntries } from './entries.ts';
import { inWords } from './errors.ts';
import {
  type Entry,
  type EntryWrite,
  type IpSets,
  type SetHeader,
  type SetStatus,
  setNameProblem,
} from './ipset.ts';
import { type createRequest, IPSET_FLAG_LIST_HEADER } from './schema.ts';

/** The part of a connection that is used. */
export type SetsConnection = Pick<Connection, 'request' | 'batch' | 'dump' | 'list'>;

type CreateRequest = ValueOf<typeof createRequest>;

/** IPSET_PROTOCOL_MIN. Kernels since 4.20 also support 7, which has nothing that is needed here. */
const protocol = 6;

/**
 * IP sets over netlink. Takes a connection of NETLINK_NETFILTER with `echo`, as the refused entry is marked in the echoed request.
 * The caller closes it.
 */
export class NetlinkIpSets implements IpSets {
  readonly #connection: SetsConnection;
  /** The revisions that sets are created with, by type. */
  readonly #revisions = new Map<SetHeader['type'], number>();
  readonly #entryCommands = new EntryCommands(protocol);
  readonly #lister = new EntryLister();

  constructor(connection: SetsConnection) {
    this.#connection = connection;
  }

  protocol(): number {
    const operation = 'ask for the ipset protocol';
    try {
      const [reply] = this.#connection.request(commands.protocol, message({ protocol }), operation);
      if (reply !== undefined) return reply.body.protocol;
    } catch (error) {
      // nfnetlink answers so if no module has registered the subsystem.
      if (errnoOf(error) === 'EINVAL') throw missingModule(operation, 'ip_set', error);
      throw error;
    }
    throw new KernelError(operation, 'EBADMSG', { detail: 'the kernel said nothing' });
  }

  create(header: SetHeader): void {
    const { name, type } = header;
    const operation = `create set ${name}`;
    const problem = setNameProblem(name);
    if (problem !== undefined) throw new KernelError(operation, 'EINVAL', { detail: problem });
    const { family, data } = toHeaderData(header);
    const revision = this.#revision(type, { family, operation });
    const request = message({ protocol, name, type, revision, family, header: data });
    try {
      this.#connection.request(commands.create, request, operation);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw clear(error, type);
      this.#find(request, operation);
    }
  }

  destroy(name: string): void {
    try {
      this.#connection.request(
        commands.destroy,
        message({ protocol, name }),
        `destroy set ${name}`,
      );
    } catch (error) {
      throw clear(error, 'hash:ip'); // no error of a destroy depends on the type
    }
  }

  swap(one: string, other: string): void {
    const operation = `swap sets ${one} and ${other}`;
    try {
      this.#connection.request(commands.swap, message({ protocol, name: one, other }), operation);
    } catch (error) {
      const clearer = clear(error, 'hash:ip'); // no error of a swap depends on the type
      // The kernel's error if the second set is missing.
      if (errnoOf(clearer) !== 'EEXIST') throw clearer;
      throw new KernelError(operation, 'ENOENT', { detail: `no set ${other}`, cause: error });
    }
  }

  write(batch: readonly EntryWrite[]): readonly Failure[] {
    return writeEntries(this.#connection, { batch, rows: this.#entryCommands });
  }

  async sets(): Promise<readonly SetStatus[]> {
    const request = message({ protocol, flags: IPSET_FLAG_LIST_HEADER });
    const replies = await this.#connection.list(commands.list, request, 'list sets');
    return replies.flatMap(({ body }) => fromListReply(body) ?? []);
  }

  async entries(name: string): Promise<readonly Entry[]> {
    const entries: Entry[] = [];
    await this.#connection.dump(this.#lister.row(), message({ protocol, name }), {
      operation: `list set ${name}`,
      onReply(some) {
        for (const entry of some) entries.push(entry);
      },
      onRestart() {
        entries.length = 0;
      },
    });
    return entries;
  }

  #revision(
    type: SetHeader['type'],
    { family, operation }: { family: number; operation: string },
  ): number {
    const known = this.#revisions.get(type);
    if (known !== undefined) return known;
    const request = message({ protocol, type, family });
    try {
      const [reply] = this.#connection.request(commands.type, request, operation);
      if (reply === undefined)
        throw new KernelError(operation, 'EBADMSG', { detail: 'no revision' });
      const revision = chooseRevision(type, reply.body);
      this.#revisions.set(type, revision);
      return revision;
    } catch (error) {
      const clearer = clear(error, type);
      if (errnoOf(clearer) !== 'EOPNOTSUPP') throw clearer;
      const module = `ip_set_${type.replace(':', '_').replaceAll(',', '')}`;
      throw missingModule(operation, module, error);
    }
  }

  /** Throws EEXIST unless the existing set is equal. The kernel compares everything but the family. */
  #find(request: NetfilterMessage<CreateRequest>, operation: string): void {
    const { name, type, family } = request.body;
    const conflict = (detail: string) => new KernelError(operation, 'EEXIST', { detail });
    const asked = message({ protocol, name });
    const [found] = this.#connection.request(commands.header, asked, operation);
    if (found !== undefined && found.body.type !== type) throw conflict(`it is ${found.body.type}`);
    if (found !== undefined && found.body.family !== family) {
      throw conflict(`it is ${type} of another family`);
    }
    try {
      this.#connection.request(commands.createOrFind, request, operation);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw clear(error, 'hash:ip');
      throw conflict(`it is ${type} of another size, or with extensions`);
    }
  }
}

/**
 * The revision of a set type to create: the kernel's newest up to Linux 5.11's, as an ipset tool refuses to list a set with a
 * revision that it does not know.
 */
function chooseRevision(
  type: SetHeader['type'],
  { revision, oldestRevision }: { revision: number; oldestRevision: number },
): number {
  return Math.max(oldestRevision, Math.min(revision, commonRevisions[type]));
}

const commonRevisions: Readonly<Record<SetHeader['type'], number>> = {
  'hash:ip': 5,
  'hash:ip,port': 6,
  'hash:ip,port,ip': 6,
  'hash:ip,port,net': 8,
  'bitmap:port': 3,
};

function message<Body>(body: Body): NetfilterMessage<Body> {
  return { family: AF_INET, body };
}

function clear(error: unknown, type: SetHeader['type']): unknown {
  return error instanceof KernelError ? inWords(error, type) : error;
}

function missingModule(operation: string, module: string, cause: unknown): KernelError {
  const code: ErrnoCode = 'EOPNOTSUPP';
  const detail = `kernel module ${module} is missing: modprobe ${module}`;
  return new KernelError(operation, code, { detail, cause });
}
