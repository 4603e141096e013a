import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Exposition } from '../metrics/metrics.ts';
import { openMetricsType, toOpenMetrics } from '../metrics/open-metrics.ts';
import type { Route } from './http.ts';
import type { Reply } from './reply.ts';
import { accepted, acceptsGzip, type HttpRequest } from './request.ts';

const compress = promisify(gzip);

/** Answers scrapes, in OpenMetrics if it is preferred to text, and compressed if that is accepted. */
export function expositionRoute(exposition: Exposition): Route {
  const openMetrics: Exposition = {
    contentType: openMetricsType,
    text: async () => toOpenMetrics(await exposition.text()),
  };
  const plain = shared(() => made(exposition));
  const open = shared(() => made(openMetrics));
  return async (request) => {
    const { reply, compressed } = await (wantsOpenMetrics(request) ? open() : plain());
    return acceptsGzip(request) ? await compressed() : reply;
  };
}

/** Whether OpenMetrics is preferred: `application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5`. */
function wantsOpenMetrics(request: HttpRequest): boolean {
  const isText = (name: string) => name === 'text/plain' || name === 'text/*' || name === '*/*';
  const wanted = accepted(request.header('accept')).find(
    ({ name, parameters, quality }) =>
      quality > 0 &&
      (isText(name) ||
        (name === 'application/openmetrics-text' &&
          ['', '1.0.0', '0.0.1'].includes(parameters.get('version') ?? ''))),
  );
  return wanted !== undefined && !isText(wanted.name);
}

interface Scrape {
  readonly reply: Reply;
  /** The compressed answer, made once for all who ask. */
  readonly compressed: () => Promise<Reply>;
}

async function made(exposition: Exposition): Promise<Scrape> {
  const headers = { 'Content-Type': exposition.contentType, Vary: 'Accept, Accept-Encoding' };
  const body = await exposition.text();
  let compressed: Promise<Reply> | undefined;
  return {
    reply: { status: 200, headers, body },
    compressed: () =>
      (compressed ??= compress(body).then((bytes) => ({
        status: 200,
        headers: { ...headers, 'Content-Encoding': 'gzip' },
        body: bytes,
      }))),
  };
}

/** Makes one value at a time. Callers that come while one is made share the next one. */
function shared<T>(make: () => Promise<T>): () => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  let next: Promise<T> | undefined;
  return () => {
    next ??= last.then(() => {
      next = undefined;
      return make();
    });
    last = next.catch(() => undefined);
    return next;
  };
}
