/** A fault to plant: what is changed, which check has to see it, and what that check has to say. */
export type Fault = {
  readonly name: string;
  readonly check: string;
  readonly files: Readonly<Record<string, string | undefined>>;
  readonly says: RegExp;
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

/** Adds lines to one of the sound project's files. */
function added(path: string, addition: string): Readonly<Record<string, string>> {
  return { [path]: `${sound[path]}${addition}` };
}

/** Puts an import in front of the proxier, which may import little. */
function proxierImports(path: string): Readonly<Record<string, string>> {
  return { 'pkg/proxy/proxier.ts': `import '${path}';\n${sound['pkg/proxy/proxier.ts']}` };
}

const address = 'pkg/ip/address.ts';
const kinds = `
type Kind = 'a' | 'b';
/** Names a kind. */
export function nameOf(kind: Kind): string {`;

/** All faults, by the check that has to see them. */
export const faults: readonly Fault[] = [
  ...[
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
      files: proxierImports('../ipvs/netlink.ts'),
      says: /implementation: pkg\/proxy\/proxier\.ts → pkg\/ipvs\/netlink\.ts/,
    },
    {
      name: 'a face that imports netlink',
      files: {
        ...added('pkg/ipvs/ipvs.ts', "export { open } from '../netlink/socket.ts';\n"),
        'pkg/netlink/socket.ts': 'export const open = 1;\n',
      },
      says: /face: pkg\/ipvs\/ipvs\.ts → pkg\/netlink\/socket\.ts/,
    },
    {
      name: 'a package used by somebody else than its owner',
      files: proxierImports('koffi'),
      says: /owner of koffi: pkg\/proxy\/proxier\.ts → .*node_modules\/koffi/,
    },
    {
      name: 'a package that nobody owns',
      files: proxierImports('fast-check'),
      says: /package without owner: pkg\/proxy\/proxier\.ts → .*node_modules\/fast-check/,
    },
    {
      name: 'a folder without a layer',
      files: { 'pkg/extra/extra.ts': 'export {};\n' },
      says: /pkg\/extra\/extra\.ts is in a folder without a layer/,
    },
    {
      name: 'an import of nothing',
      files: proxierImports('./absent.ts'),
      says: /unresolved: pkg\/proxy\/proxier\.ts → \.\/absent\.ts/,
    },
  ].map((fault) => ({ ...fault, check: 'layers' })),
  ...[
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
      files: proxierImports('pino'),
      says: /Unlisted dependencies[^]*pino/,
    },
  ].map((fault) => ({ ...fault, check: 'dead' })),
  ...[
    {
      name: 'an unhandled promise',
      files: added(address, 'async function later(): Promise<void> {}\nlater();\n'),
      says: /no-floating-promises/,
    },
    {
      name: 'a promise where a value is expected',
      files: added(
        address,
        'async function yes(): Promise<boolean> {\n  return true;\n}\nif (yes()) double(1);\n',
      ),
      says: /no-misused-promises/,
    },
    {
      name: 'a switch that misses a case',
      files: added(
        address,
        `${kinds}\n  switch (kind) {\n    case 'a':\n      return 'A';\n  }\n}\n`,
      ),
      says: /switch-exhaustiveness-check/,
    },
    {
      name: 'a switch that hides a case behind default',
      files: added(
        address,
        `${kinds}\n  switch (kind) {\n    case 'a':\n      return 'A';\n    default:\n      return 'B';\n  }\n}\n`,
      ),
      says: /switch-exhaustiveness-check/,
    },
    {
      name: 'any',
      files: added(address, 'export const something: any = 1;\n'),
      says: /no-explicit-any/,
    },
    {
      name: 'a long function',
      files: added(address, `export function long(): void {\n${'  double(1);\n'.repeat(61)}}\n`),
      says: /max-lines-per-function/,
    },
    {
      name: 'a long file',
      files: added(address, '// filled\n'.repeat(300)),
      says: /max-lines/,
    },
    {
      name: 'many parameters',
      files: added(
        address,
        'export function f(a: 1, b: 2, c: 3, d: 4): void {\n  double(a + b + c + d);\n}\n',
      ),
      says: /max-params/,
    },
    {
      name: 'a print',
      files: added(address, "console.log('x');\n"),
      says: /no-console/,
    },
    {
      name: 'an end of the process outside main',
      files: added(address, 'process.exit(1);\n'),
      says: /no-process-exit/,
    },
    {
      name: 'a focused test',
      files: {
        'pkg/ip/focused.test.ts': "import { test } from 'vitest';\n\ntest.only('a', () => {});\n",
      },
      says: /no-focused-tests/,
    },
  ].map((fault) => ({ ...fault, check: 'lint' })),
  ...[
    {
      name: 'a type error',
      files: added(address, 'export const text: string = double(1);\n'),
      says: /address\.ts\(5,14\): error TS2322/,
    },
    {
      name: 'an enum',
      files: added(address, 'export enum Kind {\n  A,\n}\n'),
      says: /error TS1294/,
    },
  ].map((fault) => ({ ...fault, check: 'types' })),
  ...[
    {
      name: 'double quotes',
      files: added(address, 'export const text = "a";\n'),
      says: /address\.ts/,
    },
    {
      name: 'imports out of order',
      files: {
        'pkg/ip/address.test.ts': `import { double } from './address.ts';\nimport { test } from 'vitest';\n\ntest('a', () => {\n  double(1);\n});\n`,
      },
      says: /address\.test\.ts.*organizeImports/,
    },
  ].map((fault) => ({ ...fault, check: 'format' })),
  ...[
    {
      name: 'a test that fails',
      files: { 'pkg/ip/address.ts': sound[address]?.replace('2 *', '3 *') },
      says: /two is twice one[^]*1 failed/,
    },
    {
      name: 'no test at all',
      files: { 'pkg/ip/address.test.ts': undefined },
      says: /No test files found/,
    },
  ].map((fault) => ({ ...fault, check: 'test' })),
];
