import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Context } from './context.ts';
import type { Credentials } from './credentials.ts';
import { type ApiRequest, isTrue, parseRequest } from './request.ts';
import { ApiError, noSuchPath, unauthorized } from './status.ts';

/** What `kubectl exec` asks for. */
export interface ExecCall {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  readonly isTerminal: boolean;
}

/** What a command prints, and its exit status: 0 if it is not given. */
export interface ExecResult {
  readonly stdout?: string;
  readonly stderr?: string;
  readonly status?: number;
}

/** Stands in for the programs of all pods: no container runs, a test says what a command prints. */
export type Exec = (call: ExecCall) => ExecResult;

/** What an upgrade of a connection needs. */
export interface ExecOptions {
  readonly context: Context;
  readonly credentials: Credentials;
  readonly exec: Exec;
}

/** The subprotocol of WebSocket in which each message begins with the number of its channel. */
const protocol = 'v5.channel.k8s.io';
const channels = { stdout: 1, stderr: 2, status: 3 } as const;

/** Answers a request to run a command in a pod, which is the only one that changes to WebSocket. What the client sends on is not read. */
export function serveExec(
  { context, credentials, exec }: ExecOptions,
  { message, socket }: { readonly message: IncomingMessage; readonly socket: Duplex },
): void {
  socket.on('error', () => socket.destroy());
  try {
    if (credentials.userOf(message) === undefined) throw unauthorized();
    const result = exec(callOf(context, parseRequest(message.method ?? '', message.url ?? '/')));
    socket.write(handshake(message));
    send(socket, result);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const body = JSON.stringify(error.status());
    socket.end(
      `HTTP/1.1 ${error.fields.code} ${error.fields.reason}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
  }
}

function callOf({ registry, faults }: Context, request: ApiRequest): ExecCall {
  const { resource, namespace, name, subresource, query } = request;
  const effect = faults.strike(request);
  if (effect?.kind === 'status')
    throw new ApiError({ reason: 'Forbidden', message: 'injected by a test', ...effect });
  if (resource?.kind !== 'Pod' || subresource !== 'exec') throw noSuchPath();
  registry.get(resource, { namespace, name });
  return {
    namespace,
    pod: name,
    container: query.get('container') ?? '',
    command: query.getAll('command'),
    isTerminal: isTrue(query, 'tty'),
  };
}

function handshake({ headers }: IncomingMessage): string {
  const key = headers['sec-websocket-key'] ?? '';
  // The constant of RFC 6455, section 1.3.
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'upgrade: websocket',
    'connection: Upgrade',
    `sec-websocket-accept: ${accept.digest('base64')}`,
    `sec-websocket-protocol: ${protocol}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function send(socket: Duplex, { stdout = '', stderr = '', status = 0 }: ExecResult): void {
  const pieces = [
    { channel: channels.stderr, text: stderr },
    { channel: channels.stdout, text: stdout },
  ];
  for (const { channel, text } of pieces) if (text !== '') socket.write(frame(channel, text));
  socket.write(frame(channels.status, JSON.stringify(outcome(status))));
  // A close frame with the code 1000.
  socket.end(Buffer.from([0x88, 2, 0x03, 0xe8]));
}

function outcome(status: number) {
  if (status === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${status}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(status) }] },
  };
}

/** One binary frame with the whole message, by RFC 6455, section 5.2. */
function frame(channel: number, text: string): Buffer {
  const payload = Buffer.concat([Buffer.from([channel]), Buffer.from(text)]);
  const head = Buffer.alloc(10);
  head.writeUInt8(0x82, 0);
  head.writeUInt8(127, 1);
  head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([
    payload.length < 126 ? Buffer.from([0x82, payload.length]) : head,
    payload,
  ]);
}
