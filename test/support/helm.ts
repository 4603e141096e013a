import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { findKubectl } from './kubectl.ts';

/** The real helm, which comes with the kubectl that `hack/kubectl.sh` fetches; `undefined` if there is none. */
export function findHelm(): string | undefined {
  const kubectl = findKubectl();
  const helm = kubectl === undefined ? '' : join(dirname(kubectl), 'helm');
  return existsSync(helm) ? helm : undefined;
}

/** The objects of the chart with some values, `initContainer=false`, as helm renders them. */
export function renderChart<Manifest>(
  helm: string | undefined,
  values: readonly string[] = [],
): readonly Manifest[] {
  const flags = values.flatMap((value) => ['--set', value]);
  const words = ['template', 'test', 'deploy/chart', '--namespace', 'kube-system', ...flags];
  return parseManifests(execFileSync(helm ?? '', words, { encoding: 'utf8' }));
}

/** The objects of a text with several YAML documents. */
export function parseManifests<Manifest>(text: string): readonly Manifest[] {
  return parseAllDocuments(text).flatMap((document): Manifest[] => {
    const value = document.toJS() as Manifest | null;
    return value === null ? [] : [value];
  });
}
