import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { serving } from '../../../test/support/objects.ts';
import type { UdpFrontEnd } from '../desired/udp-front-end.ts';
import { UdpChanges } from './udp-changes.ts';

const vip = ip('172.30.0.1');
const node = ip('192.168.0.10');

function frontEnd(address = vip, ...endpoints: readonly string[]): UdpFrontEnd {
  return { addresses: [address], port: 53, endpoints: serving(endpoints) };
}

/** What changed: `172.30.0.1 by 10.0.0.1`. */
function taken(changes: UdpChanges): readonly string[] {
  return changes
    .take()
    .map(({ addresses, endpoints }) =>
      [...addresses, 'by', ...[...endpoints].map(({ address }) => address)].join(' '),
    );
}

const one = frontEnd(vip, '10.0.0.1');
const two = frontEnd(vip, '10.0.0.2');

test('a front end changes when it comes, when others serve, and when it goes', () => {
  const changes = new UdpChanges();
  changes.note({ before: [], after: [one] });
  expect(taken(changes)).toEqual(['172.30.0.1 by 10.0.0.1']);
  changes.note({ before: [one], after: [two] });
  expect(taken(changes)).toEqual(['172.30.0.1 by 10.0.0.2']);
  changes.note({ before: [two], after: [] });
  expect(taken(changes)).toEqual(['172.30.0.1 by']);
});

test('a view of the same endpoints at another time is a change, whatever they are by now', () => {
  const changes = new UdpChanges();
  const source = {};
  const view = () => ({ ...one, endpoints: Object.assign(serving(['10.0.0.1']), { source }) });
  const first = view();
  const second = view();
  changes.note({ before: [], after: [first] });
  taken(changes);
  changes.note({ before: [first], after: [second] });
  expect(changes.take()).toHaveLength(1);
});

test('a front end stays the same whose endpoints are the same', () => {
  const changes = new UdpChanges();
  changes.note({ before: [], after: [one] });
  taken(changes);
  changes.note({ before: [one], after: [frontEnd(vip, '10.0.0.1')] });
  expect(taken(changes)).toEqual([]);
});

test('the address that a node port loses changes alone', () => {
  const changes = new UdpChanges();
  const endpoints = serving(['10.0.0.1']);
  const both = { addresses: [vip, node], port: 30_053, endpoints };
  changes.note({ before: [], after: [both] });
  taken(changes);
  changes.note({ before: [both], after: [{ ...both, addresses: [vip] }] });
  expect(taken(changes)).toEqual(['192.168.0.10 by']);
});

test('where another Service wants the front end too, its endpoints answer when one goes', () => {
  const changes = new UdpChanges();
  changes.note({ before: [], after: [one] });
  changes.note({ before: [], after: [two] });
  expect(taken(changes)).toEqual(['172.30.0.1 by 10.0.0.1 10.0.0.2']);
  changes.note({ before: [one], after: [] });
  expect(taken(changes)).toEqual(['172.30.0.1 by 10.0.0.2']);
  changes.note({ before: [two], after: [] });
  expect(taken(changes)).toEqual(['172.30.0.1 by']);
});

test('the latest word on a front end is taken, once', () => {
  const changes = new UdpChanges();
  changes.note({ before: [], after: [one] });
  changes.note({ before: [one], after: [two] });
  expect(taken(changes)).toEqual(['172.30.0.1 by 10.0.0.2']);
  expect(taken(changes)).toEqual([]);
});
