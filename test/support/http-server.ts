import { onTestFinished } from 'vitest';
import { HttpServer, type Routes } from '../../pkg/health/http.ts';
import { type Clock, systemClock } from '../../pkg/runner/clock.ts';
import { ip } from './addresses.ts';

/** A server of a test. */
export interface Running {
  readonly port: number;
  readonly logged: string[];
  /** Ends the server; settles when it has ended. */
  readonly stop: () => Promise<void>;
}

/** A server on a free port, ended with the test. */
export async function serve(
  routes: Routes,
  host = '127.0.0.1',
  clock: Clock = systemClock,
): Promise<Running> {
  const controller = new AbortController();
  const logged: string[] = [];
  const { promise, resolve } = Promise.withResolvers<number>();
  const server = new HttpServer({
    name: 'test server',
    address: ip(host),
    port: 0,
    routes,
    clock,
    log: {
      info: (message) => void logged.push(message),
      error: (message, error) => void logged.push(`${message}: ${String(error)}`),
    },
    onListening: resolve,
  });
  const ended = server.run(controller.signal);
  const stop = async () => {
    controller.abort();
    await ended;
  };
  onTestFinished(stop);
  return { port: await promise, logged, stop };
}

/** What a client was answered. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** What a client asks. */
export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Asks on a connection of its own; a compressed answer is decompressed. */
export async function get(url: string, init: Asked = {}): Promise<Answer> {
  const headers = { connection: 'close', ...init.headers };
  const response = await fetch(url, { ...init, headers });
  return { status: response.status, headers: response.headers, body: await response.text() };
}
