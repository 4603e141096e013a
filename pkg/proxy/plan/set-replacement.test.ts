import { describe, expect, test } from 'vitest';
import { contentOf } from '../../../test/support/plan-input.ts';
import type { Entry, SetHeader, SetStatus } from '../../ipset/ipset.ts';
import type { LeftoverSet } from '../observed/leftover-sets.ts';
import { inSingles } from './add-real-servers.ts';
import { printOperation } from './operation.ts';
import {
  isSwappable,
  planRemaking,
  planSwap,
  type SetReplacement,
  type SetToReplace,
} from './set-replacement.ts';

const wanted = {
  name: 'KUBE-NODE-PORT-TCP',
  type: 'bitmap:port',
  firstPort: 0,
  lastPort: 65_535,
} as const satisfies SetHeader;
const sizes = { hashSize: 1024, maxElements: 65_536 };
const port = (number: number): Entry => ({ type: 'bitmap:port', port: number });

function leftover(over: Partial<LeftoverSet> = {}, references = 0): LeftoverSet {
  const header = { ...wanted, lastPort: 9 };
  const found: SetStatus = { header, hasExtensions: false, references, entryCount: 0 };
  return { family: 'IPv4', wanted, found, isUsable: false, entries: [], ...over };
}

function toReplace(over: Partial<SetToReplace> = {}): SetToReplace {
  return { leftover: leftover(), wantedEntries: [], mostReferences: undefined, ...over };
}

/** `before | each set | after`. */
function printed({ before, sets, after }: SetReplacement): string {
  const parts = [before, ...sets.map(({ operations }) => operations), after];
  return parts
    .map((operations) =>
      inSingles([...operations])
        .map(printOperation)
        .join(', '),
    )
    .join(' | ');
}

const hash = (typeName: 'hash:ip' | 'hash:ip,port', family: 'IPv4' | 'IPv6'): SetHeader => ({
  name: 'KUBE-X',
  type: typeName,
  family,
  ...sizes,
});
const other = (typeName: string) => ({ name: 'KUBE-X', type: 'other', typeName }) as const;

test.each<[string, SetHeader, SetStatus['header'], boolean]>([
  ['of the same type', hash('hash:ip', 'IPv4'), hash('hash:ip', 'IPv4'), true],
  ['of another family', hash('hash:ip', 'IPv4'), hash('hash:ip', 'IPv6'), false],
  ['whose entries have more parts', hash('hash:ip', 'IPv4'), hash('hash:ip,port', 'IPv4'), false],
  ['of the same parts in another type', hash('hash:ip', 'IPv4'), other('bitmap:ip'), true],
  ['of networks', hash('hash:ip', 'IPv4'), other('hash:net'), false],
  ['of a range', wanted, { ...wanted, lastPort: 9 }, true],
])('whether a set can be swapped: one %s', (_, as, header, isIt) => {
  const found = { ...leftover().found, header };
  expect(isSwappable(leftover({ wanted: as, found }))).toBe(isIt);
});

test('a set is filled with what is wanted and with what the old one holds, and swapped in', () => {
  const sets = toReplace({
    leftover: leftover({ entries: [port(1)] }),
    wantedEntries: [port(30_080)],
  });
  expect(printed(planSwap(sets))).toBe(
    ' | +set KUBE-IPVS-TEMPORARY bitmap:port, +entry KUBE-IPVS-TEMPORARY 30080, ' +
      '+entry KUBE-IPVS-TEMPORARY 1, =set KUBE-NODE-PORT-TCP swapped with KUBE-IPVS-TEMPORARY | ' +
      '-set KUBE-IPVS-TEMPORARY',
  );
});

describe('a set is made anew', () => {
  const anew =
    '-set KUBE-NODE-PORT-TCP, +set KUBE-NODE-PORT-TCP bitmap:port, +entry KUBE-NODE-PORT-TCP 30080';
  const out = '-rules IPv4';
  const back = '=rules IPv4 clusterIp';
  test.each<[string, readonly [number, number | undefined][], string]>([
    ['to which nobody refers', [[0, undefined]], ` | ${anew} | `],
    ['while our rules are out', [[1, undefined]], `${out} | ${anew} | ${back}`],
    [
      'with others of the family',
      [
        [1, undefined],
        [0, undefined],
      ],
      `${out} | ${anew} | ${anew} | ${back}`,
    ],
    ['when fewer refer to it than before', [[2, 3]], `${out} | ${anew} | ${back}`],
    ['when nobody refers to it any more', [[0, 0]], ` | ${anew} | `],
    ['not while as many refer to it', [[3, 3]], ' | '],
    [
      'although others hold another one',
      [
        [3, 3],
        [0, undefined],
      ],
      ` | ${anew} | `,
    ],
  ])('%s', (_, references, expected) => {
    const sets = references.map(([count, mostReferences]) =>
      toReplace({ leftover: leftover({}, count), wantedEntries: [port(30_080)], mostReferences }),
    );
    expect(printed(planRemaking(sets, contentOf('clusterIp')))).toBe(expected);
  });
});
