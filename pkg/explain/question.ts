import { type IpAddress, parseAddress } from '../ip/address.ts';
import { type Protocol, protocols } from '../ip/protocol.ts';
import type { ObjectName } from '../kube/types.ts';

/** Who sends the packet. */
export type From =
  | ({ readonly kind: 'pod' } & ObjectName)
  /** Somebody who is neither this node nor one of its pods. */
  | { readonly kind: 'outside'; readonly address: IpAddress }
  /** A process of the node; with an address, one that uses it as its source. */
  | { readonly kind: 'node'; readonly address: IpAddress | undefined }
  /** Whoever has the address: its route decides. */
  | { readonly kind: 'address'; readonly address: IpAddress };

/** Where the packet is sent to. */
export type To =
  | {
      readonly kind: 'address';
      readonly address: IpAddress;
      readonly port: number;
      readonly protocol: Protocol;
    }
  /** A port of one of the node's own addresses. */
  | { readonly kind: 'node'; readonly port: number; readonly protocol: Protocol }
  /** A port of a Service, by its name or number. */
  | ({ readonly kind: 'service'; readonly port: string } & ObjectName);

/** A question: what becomes of the first packet of such a connection. */
export interface Question {
  readonly from: From;
  readonly to: To;
  /** The device that the packet comes in by; that of the route to its source if it is not given. */
  readonly device?: string | undefined;
  /** The source port, which an existing connection may have. */
  readonly sourcePort?: number | undefined;
}

/** What a part of the command line means, or why it means nothing. */
export type Parsed<Value> = { readonly value: Value } | { readonly problem: string };

/** A question as somebody wrote it. */
export interface QuestionWords {
  readonly from: string;
  readonly to: string;
  readonly device: string | undefined;
  readonly sourcePort: string | undefined;
}

/** Parses a question, or says everything that is wrong with it. `nameOf` is how an option is called where it was written. */
export function parseQuestion(
  words: QuestionWords,
  nameOf: (option: 'in' | 'source-port') => string,
): Parsed<Question> {
  const from = parseFrom(words.from);
  const to = parseTo(words.to);
  const { device, sourcePort: portText } = words;
  const sourcePort = portText === undefined ? undefined : parsePort(portText);
  const isPort = portText === undefined || sourcePort !== undefined;
  const problems = [
    ...('problem' in from ? [from.problem] : []),
    ...('problem' in to ? [to.problem] : []),
    ...(isPort ? [] : [`${nameOf('source-port')}: ${quote(portText)} is no port`]),
    ...(device === undefined || /^(?!\.{1,2}$)[^\s/:\p{Cc}]{1,15}$/u.test(device)
      ? []
      : [`${nameOf('in')}: is no name of a device`]),
  ];
  if ('problem' in from || 'problem' in to || problems.length > 0)
    return { problem: problems.join('; ') };
  return { value: { from: from.value, to: to.value, device, sourcePort } };
}

/** A name of Kubernetes: of a namespace, a pod, a Service or a port. */
const name = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Parses `pod/NAMESPACE/NAME`, `outside=ADDRESS`, `node`, `node=ADDRESS` or an address. */
export function parseFrom(text: string): Parsed<From> {
  if (text === 'node') return { value: { kind: 'node', address: undefined } };
  if (text.startsWith('pod/')) {
    const [, namespace = '', pod = '', ...more] = text.split('/');
    if (more.length > 0 || !name.test(namespace) || !name.test(pod))
      return { problem: `${quote(text)} is no pod/NAMESPACE/NAME` };
    return { value: { kind: 'pod', namespace, name: pod } };
  }
  const [, kind = '', word = ''] = /^(?:(outside|node)=)?(.*)$/s.exec(text) ?? [];
  const address = parseAddress(word.replace(/^\[(.*)\]$/, '$1'));
  if (address === undefined)
    return {
      problem: `${quote(text)} is no FROM: pod/NAMESPACE/NAME, outside=ADDRESS, node, node=ADDRESS or ADDRESS`,
    };
  if (kind === 'outside' || kind === 'node') return { value: { kind, address } };
  return { value: { kind: 'address', address } };
}

/** Parses `ADDRESS:PORT/PROTOCOL`, `node:PORT/PROTOCOL` or `svc/NAMESPACE/NAME:PORT`. The protocol is TCP if it is not given. */
export function parseTo(text: string): Parsed<To> {
  const problem = `${quote(text)} is no TO: ADDRESS:PORT[/PROTOCOL], node:PORT[/PROTOCOL] or svc/NAMESPACE/NAME:PORT`;
  if (text.startsWith('svc/')) {
    const [, namespace = '', service = '', port = ''] =
      /^svc\/([^/:]+)\/([^/:]+):([^/:]+)$/.exec(text) ?? [];
    if (![namespace, service, port].every((word) => name.test(word))) return { problem };
    return { value: { kind: 'service', namespace, name: service, port } };
  }
  const [, host = '', digits = '', protocolName = 'TCP'] =
    /^(.+):(\d{1,5})(?:\/(\w+))?$/.exec(text) ?? [];
  const protocol = protocols.find((one) => one === protocolName.toUpperCase());
  const port = parsePort(digits);
  if (protocol === undefined || port === undefined) return { problem };
  if (host === 'node') return { value: { kind: 'node', port, protocol } };
  const address = parseAddress(host.replace(/^\[(.*)\]$/, '$1'));
  if (address === undefined || (address.includes(':') && !host.startsWith('['))) return { problem };
  return { value: { kind: 'address', address, port, protocol } };
}

/** A port number from 1 to 65535; `undefined` for anything else. */
function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
