import { type IpAddress, parseAddress } from '../ip/address.ts';

/** How many Services a page has at most, and how many if the request does not say. */
const pageLimit = 500;
const usualPage = 100;

/** The longest name of an object that the API server allows, and the longest text of another parameter. */
const longestName = 253;
const longestText = 520;

/** Which Services a page shows. */
export interface StatusQuery {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** An address of one of its virtual servers or real servers. */
  readonly address: IpAddress | undefined;
  readonly limit: number;
  /** The `namespace/name` of the last Service of the page before. */
  readonly after: string | undefined;
  /** Whether the kernel is asked for connections. */
  readonly connections: boolean;
}

/** The first page of everything. */
export const wholeQuery: StatusQuery = {
  namespace: undefined,
  name: undefined,
  address: undefined,
  limit: usualPage,
  after: undefined,
  connections: false,
};

type Part = Partial<StatusQuery>;

/** The parameters, each with what its text means; `undefined` if it means nothing. */
const parameters: Readonly<
  Record<string, { expected: string; read: (text: string) => Part | undefined }>
> = {
  namespace: {
    expected: 'the name of a namespace',
    read: (text) => (isName(text) ? { namespace: text } : undefined),
  },
  name: {
    expected: 'the name of a Service',
    read: (text) => (isName(text) ? { name: text } : undefined),
  },
  address: {
    expected: 'an IP address',
    read(text) {
      const address = parseAddress(text);
      return address && { address };
    },
  },
  limit: {
    expected: `a number of Services from 1 to ${pageLimit}`,
    read(text) {
      const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
      return limit >= 1 && limit <= pageLimit ? { limit } : undefined;
    },
  },
  continue: {
    expected: 'what the page before has as continue',
    read: (text) => (/^[^/]*\/[^/]*$/.test(text) ? { after: text } : undefined),
  },
  connections: {
    expected: '0 or 1',
    read: (text) => (text === '0' || text === '1' ? { connections: text === '1' } : undefined),
  },
};

function isName(text: string): boolean {
  return text.length <= longestName && /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(text);
}

/** Reads the parameters of a request. Returns what is wrong with them, if anything is. */
export function readQuery(given: URLSearchParams): StatusQuery | { readonly problem: string } {
  const problems: string[] = [];
  const parts: Part[] = [];
  for (const name of new Set(given.keys())) {
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    const [text = '', ...more] = given.getAll(name);
    const part = text.length <= longestText ? parameter?.read(text) : undefined;
    if (parameter === undefined)
      problems.push(
        `unknown parameter ${quote(name)}: there are ${Object.keys(parameters).join(', ')}`,
      );
    else if (more.length > 0) problems.push(`${name} is given ${more.length + 1} times`);
    else if (part === undefined)
      problems.push(`${name}: ${quote(text)} is not ${parameter.expected}`);
    else parts.push(part);
  }
  if (problems.length > 0) return { problem: problems.slice(0, 5).join('; ') };
  return Object.assign({ ...wholeQuery }, ...parts) as StatusQuery; // parts of one
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}
