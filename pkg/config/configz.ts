import { documentOf } from './document.ts';
import type { Settings } from './fields.ts';

/** What `/configz` shows: the configuration in force, under its public names. */
export function configz(settings: Settings): Readonly<Record<string, unknown>> {
  return { 'kubeproxy.config.k8s.io': documentOf(settings) };
}
