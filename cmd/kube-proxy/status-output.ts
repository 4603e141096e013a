import { printNode, printServices } from '../../pkg/status/print.ts';
import type { NodeStatus, ServiceStatus, StatusReport } from '../../pkg/status/report.ts';
import { Tally } from '../../pkg/status/tally.ts';
import { painter, plain } from '../../pkg/terminal/terminal.ts';

/** Where a status comes from. */
export interface StatusOrigin {
  /** For people and programs: `kube-proxy`, `kernel and API`, … */
  readonly source: string;
  /** What could not be asked, and why. */
  readonly notes: readonly string[];
}

/** Prints one status as its pages come, so that none of it is kept. */
export interface StatusOutput {
  begin(origin: StatusOrigin): Promise<void>;
  page(report: StatusReport): Promise<void>;
  end(): Promise<void>;
  /** Whether nothing that was printed is wrong. */
  readonly isWell: boolean;
  /** How many Services were printed. */
  readonly services: number;
}

type Print = (text: string) => Promise<void>;

/** Prints for people. */
export function textOutput(
  print: Print,
  { isColoured }: { readonly isColoured: boolean },
): StatusOutput {
  const paint = painter({ isColoured });
  const tally = new Tally();
  const lines = (texts: readonly string[]) => print(texts.map((text) => `${text}\n`).join(''));
  return {
    async begin({ source, notes }) {
      await lines([
        paint('dim', plain(`From ${source}`)),
        ...notes.map((note) => paint('dim', plain(`  not asked: ${note}`))),
      ]);
    },
    async page({ node, services, time }) {
      for (const service of services) tally.add(service);
      const options = { paint, time };
      await lines([
        ...(node === null ? [] : printNode(node, options)),
        ...printServices(services, options),
      ]);
    },
    async end() {
      const verdict =
        tally.services === 0 ? 'No Service is served that was asked for.' : tally.print();
      await lines(['', paint(tally.services > 0 && tally.isWell ? 'green' : 'red', verdict)]);
    },
    get isWell() {
      return tally.isWell;
    },
    get services() {
      return tally.services;
    },
  };
}

/** Prints one JSON object, with a line for each Service unless all of it is to be one line. */
export function jsonOutput(
  print: Print,
  { isOneLine }: { readonly isOneLine: boolean },
): StatusOutput {
  const tally = new Tally();
  const newLine = isOneLine ? '' : '\n';
  let head = {};
  const printHead = (node: NodeStatus | null, time: string) =>
    print(
      `${JSON.stringify({ version: 1, time, ...head, node }).slice(0, -1)},${newLine}"services":[`,
    );
  const printService = async (service: ServiceStatus) => {
    const comma = tally.services === 0 ? '' : ',';
    tally.add(service);
    await print(`${comma}${newLine}${JSON.stringify(service)}`);
  };
  let hasBegun = false;
  return {
    async begin(origin) {
      head = origin;
    },
    async page({ node, services, time }) {
      if (!hasBegun) await printHead(node, time);
      hasBegun = true;
      for (const service of services) await printService(service);
    },
    async end() {
      await print(`${newLine}]}\n`);
    },
    get isWell() {
      return tally.isWell;
    },
    get services() {
      return tally.services;
    },
  };
}
