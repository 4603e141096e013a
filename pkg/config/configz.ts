import { documentOf } from './document.ts';
import { fields, type Settings } from './fields.ts';

/** The content of `/configz`: the current configuration with its public names. */
export function configz(settings: Settings): Readonly<Record<string, unknown>> {
  return { 'kubeproxy.config.k8s.io': documentOf(settings) };
}

/** The content of `/flagz`: all flags with their current values, as on the command line. */
export function flagz(settings: Settings): Readonly<Record<string, string>> {
  const rows = fields.flatMap(({ flag, type, path }) =>
    flag === undefined ? [] : [[flag, type.print(settings[path])] as const],
  );
  return Object.fromEntries(rows);
}
