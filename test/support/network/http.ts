import { createServer, request, type Server } from 'node:http';
import { Socket } from 'node:net';
import { clientSocket, serverSocket } from './host-socket.ts';
import type { Host } from './network.ts';
import { closeSocket, connectSocket, EINPROGRESS, type SocketAddress } from './sockets.ts';

// HTTP from and in any network namespace: sockets are opened there, and Node takes them over.

/** What a pod answered: its name, and the address it saw. */
export interface Reply {
  readonly pod: string;
  readonly peer: string;
}

/** How long a client waits, in milliseconds; with a machine that is emulated in mind. */
const patience = 10_000;

/** A connection from a host that is being made; it fails later, as an error of the socket, if it cannot be. */
export function dial(host: Host, to: SocketAddress): Socket {
  const fd = clientSocket(host, 'TCP', { to });
  const failure = connectSocket(fd, to);
  if (failure !== 0 && failure !== EINPROGRESS) {
    closeSocket(fd);
    throw new Error(`connect ${to.address} ${to.port}: errno ${failure}`);
  }
  return new Socket({ fd, readable: true, writable: true });
}

/** One request on a connection of its own; throws unless a pod answers. */
export async function get(host: Host, to: SocketAddress): Promise<Reply> {
  const [pod = '', peer = ''] = (await fetchText(host, { ...to, path: '/' })).trim().split(' ');
  return { pod, peer };
}

/** What is answered to one request on a connection of its own; throws unless its status is 200. */
export async function fetchText(
  host: Host,
  { path, ...to }: SocketAddress & { readonly path: string },
): Promise<string> {
  const socket = dial(host, to);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const client = request({ path, host: to.address, createConnection: () => socket });
  const timer = setTimeout(() => client.destroy(new Error('no answer in time')), patience);
  client.on('close', () => clearTimeout(timer));
  client.on('error', reject);
  client.on('response', (response) => {
    let body = '';
    response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    response.on('error', reject).on('end', () => {
      if (response.statusCode === 200) resolve(body);
      else reject(new Error(`status ${response.statusCode}`));
    });
  });
  client.end();
  return promise;
}

/** Serves HTTP on an address of a host: each answer is its name and the address it saw, `catalog-dxl8k 10.0.1.7`. */
export function serveHttp(host: Host, at: SocketAddress): Server {
  const server = createServer((incoming, response) => {
    response.setHeader('connection', 'close');
    response.end(`${host.name} ${incoming.socket.remoteAddress}\n`);
  });
  return server.listen({ fd: serverSocket(host, 'TCP', at) });
}
