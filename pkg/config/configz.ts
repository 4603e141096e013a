import { documentOf } from './document.ts';
import { fields, type Settings } from './fields.ts';

/** What `/configz` shows: the configuration in force, under its public names. */
export function configz(settings: Settings): Readonly<Record<string, unknown>> {
  return { 'kubeproxy.config.k8s.io': documentOf(settings) };
}

/** What `/flagz` shows: every flag with the value in force, as it would be written on the command line. */
export function flagz(settings: Settings): Readonly<Record<string, string>> {
  const rows = fields.flatMap(({ flag, type, path }) =>
    flag === undefined ? [] : [[flag, type.print(settings[path])] as const],
  );
  return Object.fromEntries(rows);
}
