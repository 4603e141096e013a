import type { ProxyConfig } from '../../pkg/config/types.ts';
import { ExplainError } from '../../pkg/explain/explain-error.ts';
import type { NameSource } from '../../pkg/explain/names.ts';
import { ExplainPages } from '../../pkg/explain/pages.ts';
import type { IpAddress } from '../../pkg/ip/address.ts';
import type { ProxierView } from '../../pkg/proxy/view.ts';
import type { Clock } from '../../pkg/runner/clock.ts';
import { notesAbout } from '../../pkg/status/notes.ts';
import type { StatusPages } from '../../pkg/status/pages.ts';
import { wholeQuery } from '../../pkg/status/query.ts';
import { checkReport } from '../../pkg/status/shape.ts';
import { desiredSettings } from './desired-settings.ts';
import type { Environment } from './environment.ts';

/** What explanations are made of besides what the kernel holds. */
export interface ExplainSources {
  readonly environment: Pick<Environment, 'openNodeReader'>;
  readonly config: ProxyConfig;
  readonly clock: Clock;
  readonly pages: Pick<StatusPages, 'page'>;
}

/** Creates what answers questions about packets in a running proxy. */
export function createExplainPages(
  view: ProxierView,
  { environment, config, clock, pages }: ExplainSources,
): ExplainPages {
  const notes = async (address: IpAddress) => {
    const page = await pages.page({ ...wholeQuery, address });
    return notesAbout(checkReport(JSON.parse(page)), address);
  };
  return new ExplainPages({
    clock,
    names: proxierNames(view),
    settings: desiredSettings(config),
    open: () => environment.openNodeReader(),
    notes,
  });
}

/** The objects as the proxier has them, and what it wants for them. */
export function proxierNames({ store, ledger }: ProxierView): NameSource {
  return {
    description: 'kube-proxy',
    async pod() {
      throw new ExplainError('names of pods are not known here: ask with the address of the pod');
    },
    objects: async () => ({
      node: store.lastNode,
      service: (key) => store.service(key),
      slicesOf: (key) => store.objects(key)?.slices ?? [],
    }),
    ledger: async () => ledger,
  };
}
