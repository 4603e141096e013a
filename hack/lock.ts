/**
 * Completes `package-lock.json`: native tools name one optional package per platform, npm leaves out those that the
 * registry in use does not offer, and `npm ci` then refuses the whole file. Entries are made from the name and the version
 * that their parent asks for. Run by `npm run lock` after a dependency changed.
 */
import { readFileSync, writeFileSync } from 'node:fs';

type Entry = {
  readonly cpu?: string | readonly string[];
  readonly os?: string | readonly string[];
  readonly libc?: string | readonly string[];
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
};
type Lock = { packages: Record<string, Entry> };

const systems = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const processors = ['arm', 'arm64', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64'];

const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8')) as Lock;
let added = 0;
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const place = `node_modules/${name}`;
    if (lock.packages[place] !== undefined) continue;
    lock.packages[place] = platformEntry({ name, version, parent });
    added++;
  }
}
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} platform packages added to package-lock.json`);

function platformEntry(wanted: { name: string; version: string; parent: Entry }): Entry {
  const words = wanted.name.split(/[-/]/);
  const os = systems.filter((system) => words.includes(system));
  const cpu = processors.filter((processor) => words.includes(processor));
  if (os.length === 0 || cpu.length === 0 || !/^\d/.test(wanted.version)) {
    throw new Error(`${wanted.name}@${wanted.version}: not a platform package`);
  }
  const libc = words.includes('musl') ? { libc: ['musl'] } : {};
  const dev = wanted.parent.dev === true ? { dev: true } : {};
  return { version: wanted.version, cpu, ...dev, optional: true, os, ...libc };
}
