import type { Codec, Decoder, Encoder } from '../wire/codec.ts';
import { codeOf } from './codes.ts';
import type { Command, ErrorReply } from './message.ts';

/** One message that was sent or received. Its value is always as the table decodes it, even if a template or a straight reader was used. */
export type TraceEvent =
  | {
      readonly kind: 'request';
      readonly command: Command<unknown, unknown>;
      readonly sequence: number;
      readonly value: unknown;
    }
  | {
      readonly kind: 'reply';
      readonly command: Command<unknown, unknown>;
      readonly sequence: number;
      readonly value: unknown;
    }
  | { readonly kind: 'error'; readonly sequence: number; readonly reply: ErrorReply };

/** Called with every message of a connection. It must not use the connection. */
export type Trace = (event: TraceEvent) => void;

/** One line: `> IPVS_CMD_NEW_DEST #12 {service: IPVS_SVC_ATTR {family: 2, …}}`, with `<` for received messages. */
export function printTraceEvent(event: TraceEvent): string {
  switch (event.kind) {
    case 'request':
      return `> ${event.command.name} #${event.sequence} ${print(tableOf(event.command.request), event.value)}`;
    case 'reply':
      return `< ${event.command.name} #${event.sequence} ${print(tableOf(event.command.reply), event.value)}`;
    case 'error': {
      const { errno, detail } = event.reply;
      return `< #${event.sequence} ${errno === 0 ? 'ok' : codeOf(errno)}${detail === '' ? '' : ` (${detail})`}`;
    }
  }
}

/** What has no table besides itself is one. */
function tableOf(coder: Encoder<never> | Decoder<unknown>): Codec<unknown> {
  return coder.table ?? (coder as Codec<unknown>);
}

function print(codec: Codec<unknown>, value: unknown): string {
  const { shape } = codec;
  switch (shape.kind) {
    case 'attributes': {
      const fields = Object.entries(shape.fields).flatMap(([name, field]) => {
        const part = (value as Readonly<Record<string, unknown>>)[name];
        if (part === undefined) return [];
        const parts = field.presence === 'repeated' ? (part as readonly unknown[]) : [part];
        return parts.map((element) => `${name}: ${print(field.codec, element)}`);
      });
      return `${shape.name} {${fields.join(', ')}}`;
    }
    case 'struct': {
      const fields = Object.entries(shape.fields).filter(
        ([, { shape: part }]) => part.kind !== 'padding',
      );
      return `{${fields.map(([name, part]) => `${name}: ${print(part, (value as Readonly<Record<string, unknown>>)[name])}`).join(', ')}}`;
    }
    case 'prefixed':
      return print(shape.inner, value);
    case 'cstring':
      return JSON.stringify(value);
    case 'bytes':
    case 'mapped':
    case 'integer':
    case 'u64':
    case 'flag':
    case 'padding':
      return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
  }
}
