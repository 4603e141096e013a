import { fields, isFileField, type Settings } from './fields.ts';

/** The API version and kind of the configuration file. */
export const typeMeta = {
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
} as const;

/** Settings as the object of a file, with public names. Options that only the command line has are left out. */
export function documentOf(settings: Settings): Readonly<Record<string, unknown>> {
  const document: Record<string, unknown> = { ...typeMeta };
  for (const row of fields.filter(isFileField)) {
    const keys = row.path.split('.');
    const last = keys.pop() ?? '';
    let block = document;
    for (const key of keys) {
      block[key] ??= {};
      block = block[key] as Record<string, unknown>; // a key of the table is a block or a field, never both
    }
    block[last] = row.type.encode(settings[row.path]);
  }
  return document;
}
