/** What a client asks. */
export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** A header by its name in lower case; empty if it was not sent. */
  header(name: string): string;
  /** The whole body, which is short; throws if the client does not send it. */
  body(): Promise<string>;
  /** The answer takes so many milliseconds: the client is not cut meanwhile. */
  takes(milliseconds: number): void;
  /** Aborts when the client is gone, or cut. */
  readonly signal: AbortSignal;
}

/** One thing that a client accepts: `application/json;q=0.5`. */
export interface Accepted {
  /** `application/json`, `text/*`, `gzip`; in lower case. */
  readonly name: string;
  /** All but `q`. */
  readonly parameters: ReadonlyMap<string, string>;
  /** From 0, which is refused, to 1. */
  readonly quality: number;
}

/** How many things of one header are looked at. */
const acceptedLimit = 50;

/** What a header such as `Accept` or `Accept-Encoding` says, most wanted first; of equal ones the first comes first. */
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
