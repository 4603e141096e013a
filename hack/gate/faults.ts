/**
 * A fault to plant: what is changed, which check has to see it, and what that check has to say. Faults of one check that change
 * different files are planted together, so `says` names the file too.
 */
export type Fault = {
  readonly name: string;
  readonly check: string;
  readonly files: Readonly<Record<string, string | undefined>>;
  readonly says: RegExp;
  /** Where the check stops at this fault, or would stumble over others. */
  readonly isAlone?: true;
};

/** A project in which nothing is wrong: a face with its implementation, a user of it, and the one who puts them together. */
export const sound: Readonly<Record<string, string>> = {
  'hack/tool.ts': "console.log('tools may print');\n",
  'test/kernel/ipvs.test.ts': "import { test } from 'vitest';\n\ntest('a kernel', () => {});\n",
  'cmd/kube-proxy/main.ts': `import { assemble } from './assemble.ts';

assemble();
`,
  'cmd/kube-proxy/assemble.ts': `import { double } from '../../pkg/ip/address.ts';
import { netlinkIpvs } from '../../pkg/ipvs/netlink.ts';
import { start } from '../../pkg/proxy/proxier.ts';

/** Puts the program together. */
export function assemble(): void {
  start(netlinkIpvs(double(1)));
}
`,
  'pkg/ip/address.ts': `/** Twice the number. */
export function double(value: number): number {
  return 2 * value;
}
`,
  'pkg/ip/address.test.ts': `import { expect, test } from 'vitest';
import { double } from './address.ts';

test('two is twice one', () => {
  expect(double(1)).toBe(2);
});
`,
  'pkg/ipvs/ipvs.ts': `/** Knows virtual servers. */
export interface Ipvs {
  readonly count: number;
}
`,
  'pkg/ipvs/netlink.ts': `import type { Ipvs } from './ipvs.ts';

/** The kernel's virtual servers. */
export function netlinkIpvs(count: number): Ipvs {
  return { count };
}
`,
  'pkg/proxy/proxier.ts': `import type { Ipvs } from '../ipvs/ipvs.ts';

/** Looks at the virtual servers. */
export function start(ipvs: Ipvs): number {
  return ipvs.count;
}
`,
};

const address = 'pkg/ip/address.ts';
/** The start of a file of `pkg/ip` that uses another one. */
const usesAddress = "import { double } from './address.ts';\n\n";

/** Adds lines to one of the sound project's files. */
function added(path: string, addition: string): Readonly<Record<string, string>> {
  return { [path]: `${sound[path]}${addition}` };
}

/** A file of the proxier, which may import little, with an import. */
function importing(name: string, path: string): Readonly<Record<string, string>> {
  return { [`pkg/proxy/${name}.ts`]: `import '${path}';\n` };
}

/** What oxlint prints: the rule, and soon after it the file. */
function lintSays(rule: string, file: string): RegExp {
  return new RegExp(`x [\\w-]+\\(${rule}\\)[^[]{0,400}\\[${file}:`);
}

/** Faults of one file each in `pkg/ip`, which one rule of oxlint has to see. */
function lintFaults(rows: readonly (readonly [string, string, string])[]): readonly Fault[] {
  return rows.map(([name, rule, text]) => {
    const file = `pkg/ip/${name.replaceAll(' ', '-')}.ts`;
    return { name, check: 'lint', files: { [file]: text }, says: lintSays(rule, file) };
  });
}

/** A switch over a union of two kinds with these cases. */
function switching(...cases: readonly string[]): string {
  return `type Kind = 'a' | 'b';
/** Names a kind. */
export function nameOf(kind: Kind): string {
  switch (kind) {
${cases.map((text) => `    ${text}\n`).join('')}  }
}
`;
}

const layerFaults: readonly Omit<Fault, 'check'>[] = [
  {
    name: 'a cycle of types',
    files: added('pkg/ipvs/ipvs.ts', "export type { netlinkIpvs } from './netlink.ts';\n"),
    says: /cycle: pkg\/ipvs\/ipvs\.ts → pkg\/ipvs\/netlink\.ts → pkg\/ipvs\/ipvs\.ts/,
  },
  {
    name: 'a lower layer that imports a higher one',
    files: added(address, "export type { Ipvs } from '../ipvs/ipvs.ts';\n"),
    says: /layer ip: pkg\/ip\/address\.ts → pkg\/ipvs\/ipvs\.ts/,
  },
  {
    name: 'an implementation imported outside assemble',
    files: importing('implementation', '../ipvs/netlink.ts'),
    says: /implementation: pkg\/proxy\/implementation\.ts → pkg\/ipvs\/netlink\.ts/,
  },
  {
    name: 'a face that imports netlink',
    files: {
      'pkg/ipset/ipset.ts': "export { open } from '../netlink/socket.ts';\n",
      'pkg/netlink/socket.ts': 'export const open = 1;\n',
    },
    says: /face: pkg\/ipset\/ipset\.ts → pkg\/netlink\/socket\.ts/,
  },
  {
    name: 'a package used by somebody else than its owner',
    files: importing('koffi', 'koffi'),
    says: /owner of koffi: pkg\/proxy\/koffi\.ts → .*node_modules\/koffi/,
  },
  {
    name: 'a package that nobody owns',
    files: importing('package', 'fast-check'),
    says: /package without owner: pkg\/proxy\/package\.ts → .*node_modules\/fast-check/,
  },
  {
    name: 'a folder without a layer',
    files: { 'pkg/extra/extra.ts': 'export {};\n' },
    says: /pkg\/extra\/extra\.ts is in a folder without a layer/,
  },
  {
    name: 'a package of tests by its path',
    files: {
      'test/apiserver/apiserver.ts': 'export const url = 1;\n',
      'test/kernel/path.test.ts': "export { url } from '../apiserver/apiserver.ts';\n",
    },
    says: /workspace by its path[^\n]*: test\/kernel\/path\.test\.ts → test\/apiserver\/apiserver\.ts/,
  },
  {
    name: 'a test API server that knows the proxier',
    files: { 'test/apiserver/proxy.ts': "export { start } from '../../pkg/proxy/proxier.ts';\n" },
    says: /test API server may import: test\/apiserver\/proxy\.ts → pkg\/proxy\/proxier\.ts/,
  },
  {
    name: 'an import of nothing',
    files: importing('nothing', './absent.ts'),
    says: /unresolved: pkg\/proxy\/nothing\.ts → \.\/absent\.ts/,
  },
];

const deadFaults: readonly Omit<Fault, 'check'>[] = [
  {
    name: 'an unused export',
    files: added(address, 'export const unused = 1;\n'),
    says: /unused .*pkg\/ip\/address\.ts/,
  },
  {
    name: 'an unused file',
    files: { 'pkg/ip/unused.ts': 'export {};\n' },
    says: /Unused files[^]*pkg\/ip\/unused\.ts/,
  },
  {
    name: 'a package that package json does not name',
    files: {
      'pkg/proxy/proxier.ts': `import 'pino';\n${sound['pkg/proxy/proxier.ts']}`,
    },
    says: /Unlisted dependencies[^]*pino/,
  },
];

const typeFaults: readonly Omit<Fault, 'check'>[] = [
  {
    name: 'a type error',
    files: added(address, 'export const text: string = double(1);\n'),
    says: /address\.ts\(5,14\): error TS2322/,
  },
  {
    name: 'an enum',
    files: { 'pkg/ip/kind.ts': 'export enum Kind {\n  A,\n}\n' },
    says: /kind\.ts\(1,13\): error TS1294/,
  },
];

const formatFaults: readonly Omit<Fault, 'check'>[] = [
  {
    name: 'double quotes',
    files: { 'pkg/ip/quotes.ts': 'export const text = "a";\n' },
    says: /quotes\.ts.* format /,
  },
  {
    name: 'imports out of order',
    files: {
      'pkg/ip/order.test.ts': `import { double } from './address.ts';\nimport { test } from 'vitest';\n\ntest('a', () => {\n  double(1);\n});\n`,
    },
    says: /order\.test\.ts.*organizeImports/,
  },
];

const testFaults: readonly Omit<Fault, 'check'>[] = [
  {
    name: 'a test that fails',
    files: { [address]: sound[address]?.replace('2 *', '3 *') },
    says: /two is twice one[^]*1 failed/,
    isAlone: true,
  },
  {
    name: 'no test at all',
    files: { 'pkg/ip/address.test.ts': undefined },
    says: /No test files found/,
    isAlone: true,
  },
];

/** All faults, by the check that has to see them. */
export const faults: readonly Fault[] = [
  ...layerFaults.map((fault) => ({ ...fault, check: 'layers' })),
  ...deadFaults.map((fault) => ({ ...fault, check: 'dead' })),
  ...lintFaults([
    [
      'an unhandled promise',
      'no-floating-promises',
      'async function later(): Promise<void> {}\nlater();\n',
    ],
    [
      'a promise where a value is expected',
      'no-misused-promises',
      `${usesAddress}async function yes(): Promise<boolean> {\n  return true;\n}\nif (yes()) double(1);\n`,
    ],
    [
      'a switch that misses a case',
      'switch-exhaustiveness-check',
      switching("case 'a':", "  return 'A';"),
    ],
    [
      'a switch that hides a case behind default',
      'switch-exhaustiveness-check',
      switching("case 'a':", "  return 'A';", 'default:', "  return 'B';"),
    ],
    ['any', 'no-explicit-any', 'export const something: any = 1;\n'],
    [
      'a long function',
      'max-lines-per-function',
      `${usesAddress}export function long(): void {\n${'  double(1);\n'.repeat(61)}}\n`,
    ],
    ['a long file', 'max-lines', '// filled\n'.repeat(301)],
    [
      'many parameters',
      'max-params',
      `${usesAddress}export function f(a: 1, b: 2, c: 3, d: 4): void {\n  double(a + b + c + d);\n}\n`,
    ],
    ['a print', 'no-console', "console.log('x');\n"],
    ['an end of the process outside main', 'no-process-exit', 'process.exit(1);\n'],
  ]),
  {
    name: 'a focused test',
    check: 'lint',
    files: {
      'pkg/ip/focused.test.ts': "import { test } from 'vitest';\n\ntest.only('a', () => {});\n",
    },
    says: lintSays('no-focused-tests', 'pkg/ip/focused.test.ts'),
  },
  ...typeFaults.map((fault) => ({ ...fault, check: 'types' })),
  ...formatFaults.map((fault) => ({ ...fault, check: 'format' })),
  ...testFaults.map((fault) => ({ ...fault, check: 'test' })),
];
