/** An HTTP request. */
export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** A header by its name in lower case; empty if it was not sent. */
  header(name: string): string;
  /** Reads the body, which is short. Throws if the client does not send it. */
  body(): Promise<string>;
  /** Announces that the answer takes some milliseconds, so that the client is not disconnected meanwhile. */
  takes(milliseconds: number): void;
  /** Whether the client is a process of this network namespace that asks by a loopback address. */
  readonly isFromLoopback: boolean;
  /** Aborts when the client has disconnected or was disconnected. */
  readonly signal: AbortSignal;
}

/** One element of an Accept header: `application/json;q=0.5`. */
export interface Accepted {
  /** `application/json`, `text/*`, `gzip`, in lower case. */
  readonly name: string;
  /** All parameters except `q`. */
  readonly parameters: ReadonlyMap<string, string>;
  /** From 0, which is refused, to 1. */
  readonly quality: number;
}

/** How many elements of one header are read. */
const acceptedLimit = 50;

/** The elements of a header like `Accept` or `Accept-Encoding` by preference. Equal ones keep their order. */
export function accepted(header: string): readonly Accepted[] {
  return header
    .split(',', acceptedLimit)
    .map(readAccepted)
    .filter(({ name }) => name !== '')
    .toSorted((one, other) => other.quality - one.quality);
}

function readAccepted(text: string): Accepted {
  const [name = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = new Map<string, string>();
  let quality = 1;
  for (const part of rest) {
    const [key = '', value = ''] = part.split('=', 2).map((side) => side.trim());
    if (key.toLowerCase() === 'q') quality = Number.isNaN(Number(value)) ? 0 : Number(value);
    else parameters.set(key.toLowerCase(), value.replaceAll('"', ''));
  }
  return { name: name.toLowerCase(), parameters, quality };
}

/** Whether the answer may be compressed by gzip. */
export function acceptsGzip(request: Pick<HttpRequest, 'header'>): boolean {
  return accepted(request.header('accept-encoding')).some(
    ({ name, quality }) => name === 'gzip' && quality > 0,
  );
}
