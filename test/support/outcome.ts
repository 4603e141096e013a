import type { IpAddress } from '../../pkg/ip/address.ts';
import type { Verdict } from '../../pkg/trace/result.ts';

/**
 * What becomes of a traced packet: `web as itself, distant as the node` for the servers that may answer and whom they see, each with what
 * stops it where something does, or `refused`, `dropped` and so on.
 */
export function outcomeOf(verdict: Verdict, nameOf: (address: IpAddress) => string): string {
  if (verdict.kind !== 'balanced') return verdict.kind;
  return verdict.balancing.choices
    .map(({ realServer, fate, masqueradedBy }) => {
      const name = nameOf(realServer.address);
      if (fate !== 'passed') return `${name} ${fate}`;
      return `${name} ${masqueradedBy === undefined ? 'as itself' : 'as the node'}`;
    })
    .toSorted()
    .join(', ');
}
