import type { ProxyConfig } from '../../pkg/config/types.ts';
import { parseServiceAnnotations } from '../../pkg/kube/annotations.ts';
import type { Service } from '../../pkg/kube/types.ts';
import type { Ports } from '../../pkg/proxy/options.ts';

/** Reads the options in a Service's annotations; `undefined` if the configuration does not allow any. */
export function serviceOptionsReader(
  { scheduler, serviceAnnotations }: Pick<ProxyConfig, 'scheduler' | 'serviceAnnotations'>,
  hasScheduler: (scheduler: string) => boolean,
): Ports['serviceOptionsOf'] {
  if (!serviceAnnotations) return undefined;
  const judgedBy = { scheduler, hasScheduler };
  return ({ annotations }: Service) => parseServiceAnnotations(annotations, judgedBy);
}

/** For subcommands, which only read: trying a scheduler is a write, so the kernel is taken to have those that Services ask for. */
export const assumeScheduler = () => true;
