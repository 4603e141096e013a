import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject } from '@kube-proxy-ipvs/test-apiserver/objects';
import { slice } from '@kube-proxy-ipvs/test-apiserver/samples';
import { families } from '../../pkg/ip/address.ts';
import type { Host } from './network/network.ts';
import { addressOf } from './traffic.ts';

/** What `--ipvs-manifests` reads, written by a test: all of it at once, as a careful administrator does. */
export class ManifestFile {
  readonly #folder = mkdtempSync(join(tmpdir(), 'manifests-'));

  /** The flag that leads a program here. */
  get flag(): string {
    return `--ipvs-manifests=${this.#file}`;
  }

  /** From now on these objects are there, and no others. */
  write(items: readonly KubeObject[]): void {
    const part = join(this.#folder, 'part');
    writeFileSync(part, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
    renameSync(part, this.#file);
  }

  /** Takes the file away. */
  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  get #file(): string {
    return join(this.#folder, 'objects.json');
  }
}

/** A pod of this node behind a Service: ready, or terminating and still serving. */
export type Pod = Host | { readonly host: Host; readonly isTerminating: true };

/** The slices of a Service, one for each family: these pods' port 8080 and no others. */
export function podSlices(name: string, ...pods: readonly Pod[]): readonly KubeObject[] {
  return families.map((family) =>
    slice(`${name}-${family.toLowerCase()}`, [], {
      metadata: {
        name: `${name}-${family.toLowerCase()}`,
        namespace: 'default',
        labels: { 'kubernetes.io/service-name': name },
      },
      addressType: family,
      endpoints: pods.map((pod) => {
        const isTerminating = 'host' in pod;
        const host = isTerminating ? pod.host : pod;
        return {
          addresses: [addressOf(host, family)],
          conditions: { ready: !isTerminating, serving: true, terminating: isTerminating },
          nodeName: 'here',
          targetRef: { kind: 'Pod', name: host.name, uid: `pod-${host.name}` },
        };
      }),
    }),
  );
}
