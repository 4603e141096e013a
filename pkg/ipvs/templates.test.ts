import { expect, test } from 'vitest';
import { ip } from '../../test/support/addresses.ts';
import { encode } from '../wire/codec.ts';
import { Writer } from '../wire/writer.ts';
import { newDest } from './commands.ts';
import { destOf, serviceIdOf } from './convert.ts';
import type { RealServer } from './ipvs.ts';
import { DestEncoder } from './templates.ts';

const virtualServer = { address: ip('172.30.0.1'), protocol: 'TCP', port: 443 } as const;
const realServer: RealServer = {
  address: ip('10.0.0.7'),
  port: 8080,
  weight: 1,
  forwarding: 'masquerade',
  upperThreshold: 0,
  lowerThreshold: 0,
};

function written(encoder: DestEncoder, one: RealServer): Uint8Array {
  const writer = new Writer();
  encoder.encode(writer, { virtualServer, realServer: one });
  return writer.written();
}

test('settings of which one does not fit leave nothing behind for the next real server', () => {
  const encoder = new DestEncoder(newDest.request);
  const expected = encode(newDest.request, {
    service: serviceIdOf(virtualServer),
    dest: destOf(realServer),
  });
  expect(written(encoder, realServer)).toEqual(expected);
  const unfit = { ...realServer, weight: 5, upperThreshold: -1 };
  expect(() => written(encoder, unfit)).toThrow(
    'IPVS_CMD_ATTR.dest: IPVS_DEST_ATTR.upperThreshold: -1 is no u32',
  );
  expect(written(encoder, realServer)).toEqual(expected);
});

test('an address that does not fit its form is written by the form of its family', () => {
  const encoder = new DestEncoder(newDest.request);
  for (const address of [ip('10.0.0.7'), ip('fd00:10::7'), ip('10.0.0.8')]) {
    const one = { ...realServer, address };
    const value = { service: serviceIdOf(virtualServer), dest: destOf(one) };
    expect(written(encoder, one)).toEqual(encode(newDest.request, value));
  }
});
