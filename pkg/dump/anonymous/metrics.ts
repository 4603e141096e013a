import type { NameKind } from '../replace.ts';
import type { Basis } from './basis.ts';
import { replaceServiceName, replaceText } from './text.ts';

/** The labels of metrics whose values are names. */
const kinds: ReadonlyMap<string, NameKind> = new Map([
  ['namespace', 'namespace'],
  ['service_namespace', 'namespace'],
  ['service_name', 'service'],
  ['port_name', 'port'],
  ['node', 'node'],
]);

/** Replaces names and addresses in the labels of a line of Prometheus' text format. */
export function replaceMetric(line: string, basis: Basis): string {
  if (line === '' || line.startsWith('# ')) return line;
  return line.replace(/(\w+)="((?:[^"\\]|\\.)*)"/g, (_, label: string, value: string) => {
    const kind = kinds.get(label);
    const named = label === 'service' ? replaceServiceName(value, basis) : undefined;
    if (named !== undefined) return `${label}="${named}"`;
    const isName = kind !== undefined && value !== '';
    return `${label}="${isName ? basis.name(kind, value) : replaceText(value, basis)}"`;
  });
}
