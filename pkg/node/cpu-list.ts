/** CPUs by number. */
export type Cpus = ReadonlySet<number>;

/** The largest number of a CPU that is understood. */
const mostCpus = 65_536;

/** Parses a list of CPUs as the kernel prints it (`0-3,8`); `undefined` if it is none. */
export function parseCpuList(text: string): Cpus | undefined {
  const cpus = new Set<number>();
  for (const range of text.trim().split(',')) {
    if (range === '') continue;
    const [, first, last = first] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(range) ?? [];
    const from = Number(first);
    const to = Number(last);
    // NaN is not in order either.
    if (!(from <= to) || to >= mostCpus) return undefined;
    for (let cpu = from; cpu <= to; cpu++) cpus.add(cpu);
  }
  return cpus;
}

/** A list of CPUs as the kernel prints it; '' for none. */
export function printCpuList(cpus: Cpus): string {
  const ranges: { first: number; last: number }[] = [];
  for (const cpu of [...cpus].sort((one, other) => one - other)) {
    const range = ranges.at(-1);
    if (range?.last === cpu - 1) range.last = cpu;
    else ranges.push({ first: cpu, last: cpu });
  }
  return ranges
    .map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`))
    .join(',');
}
