import { inNamespace, measure, type prepareFloor, table } from './run.ts';

/** What it costs to make the message of one destination, beside what the kernel takes to carry one out. */
export function benchEncoding({
  folder,
  floor,
}: {
  folder: string;
  floor: ReturnType<typeof prepareFloor>;
}): void {
  const size = { services: 1_000, endpoints: 10 };
  inNamespace((namespace) => measure(namespace, 'record', { folder, ...size }));
  const kernel = inNamespace((namespace) => floor(namespace, size).ipvs);
  const { cold, warm } = inNamespace((namespace) =>
    measure<{ cold: number; warm: number }>(namespace, 'encode', { folder, ...size }),
  );
  const messages = size.services * (size.endpoints + 1);
  const microseconds = (value: number) => `${value.toFixed(2)} µs`;
  console.log('\n## One destination\n');
  console.log(
    table(
      ['', 'each'],
      [
        ['the kernel carries it out', microseconds((kernel / messages) * 1000)],
        ['its message is made, walking the table: the first 1,000', microseconds(cold)],
        ['the same, once compiled', microseconds(warm)],
      ],
    ),
  );
}
