import { expect, test } from 'vitest';
import { ip } from '../../../test/support/addresses.ts';
import { byRealServer, inRotation, rotationOf } from './rotation.ts';

function places(...names: readonly string[]) {
  return names.map((name) => {
    const [address = '', port = '80'] = name.split(' ');
    return { name, realServer: { address: ip(address), port: Number(port) } };
  });
}

function order(rotation: number, ...names: readonly string[]): readonly string[] {
  return inRotation(places(...names), { byPlace: byRealServer, rotation }).map(({ name }) => name);
}

test('real servers that come together are added by address and port, whatever order they come in', () => {
  const sorted = ['10.0.0.1', '10.0.0.2', '10.0.0.2 81', '10.0.0.3'];
  expect(order(0, '10.0.0.3', '10.0.0.2 81', '10.0.0.1', '10.0.0.2')).toEqual(sorted);
  expect(order(0, ...sorted)).toEqual(sorted);
});

test('each node begins at another one', () => {
  const names = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
  expect(order(4, ...names)).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.1']);
  const firsts = Array.from({ length: 30 }, (_, node) =>
    order(rotationOf(`node-${node}`), ...names),
  );
  expect(new Set(firsts.map(([first]) => first))).toEqual(new Set(names));
});

test('a node begins at the same one each time', () => {
  expect(rotationOf('node-1')).toBe(rotationOf('node-1'));
});
