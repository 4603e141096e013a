import { expect, test } from 'vitest';
import { inRotation, rotationOf } from './rotation.ts';

test('real servers that come together are added in the order in which they come', () => {
  const names = ['10.0.0.3', '10.0.0.1', '10.0.0.2'];
  expect(inRotation(names, 0)).toBe(names);
  expect(inRotation([], 4)).toEqual([]);
});

test('each node begins at another one', () => {
  const names = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
  expect(inRotation(names, 4)).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.1']);
  const firsts = Array.from({ length: 30 }, (_, node) =>
    inRotation(names, rotationOf(`node-${node}`)),
  );
  expect(new Set(firsts.map(([first]) => first))).toEqual(new Set(names));
});

test('a node begins at the same one each time', () => {
  expect(rotationOf('node-1')).toBe(rotationOf('node-1'));
});
