import { parseServiceAnnotations } from '../../../pkg/kube/annotations.ts';
import type { Service } from '../../../pkg/kube/types.ts';
import type { Stand } from '../proxier.ts';
import type { Step } from './steps.ts';

const judgedBy = { scheduler: 'rr', hasScheduler: () => true };

/** What Services ask for by annotations, on a kernel with every scheduler. */
export const serviceOptionsOf = ({ annotations }: Service) =>
  parseServiceAnnotations(annotations, judgedBy);

/** Carries a step out on a proxier and its kernel in memory. */
export function takeStep(stand: Stand, step: Step): void {
  const { links } = stand.kernel;
  if (step.kind === 'change') stand.report(step.change);
  else if (step.isPresent) {
    const prefixLength = step.address.includes(':') ? 64 : 24;
    links.addAddress({ link: 'eth0', address: step.address, prefixLength });
  } else links.removeAddress({ link: 'eth0', address: step.address });
}
