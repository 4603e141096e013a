import { type IpAddress, printHostPort } from '../ip/address.ts';
import { ago, drainText, failureText } from './print.ts';
import type { StatusReport } from './report.ts';

/** How many notes there are at most. */
const noteLimit = 20;

/** What a proxy says about the virtual servers on an address: what fails and since when, what drains, what it repaired lately. */
export function notesAbout(
  { node, services, time }: StatusReport,
  address: IpAddress,
): readonly string[] {
  const failures = [...services, ...(node === null ? [] : [node])].flatMap((one) =>
    one.failures.map((failure) => `fails: ${failureText(failure, time)}`),
  );
  const drains = services
    .flatMap(({ virtualServers }) => virtualServers.filter((one) => one.address === address))
    .flatMap(({ realServers }) => realServers)
    .flatMap(({ address: of, port, drain }) =>
      drain === null ? [] : [`drains: ${printHostPort(of, port)}: ${drainText(drain, time)}`],
    );
  const repairs = (node?.minutes ?? []).flatMap(({ time: minute, examples }) =>
    examples
      .filter((text) => text.split(' ').some((word) => isAt(word, address)))
      .map((text) => `repaired ${ago(minute, time)} ago: ${text}`),
  );
  return [...failures, ...drains, ...repairs].slice(0, noteLimit);
}

/** Whether a word of an operation is an address, with or without a port. */
function isAt(word: string, address: IpAddress): boolean {
  return (
    word === address ||
    [`${address}:`, `${address},`, `[${address}]:`].some((start) => word.startsWith(start))
  );
}
