import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiServer } from '@kube-proxy-ipvs/test-apiserver';
import type { KubeObject } from '@kube-proxy-ipvs/test-apiserver/objects';
import type { Network } from '../../support/network/network.ts';
import { nodePort, Pod, ports } from './pod.ts';

interface Replica {
  readonly pod: Pod;
  ready: boolean;
  serving: boolean;
  terminating: boolean;
}

const labels = { 'kubernetes.io/service-name': 'shop' };

/** How a pod ends. Milliseconds. */
export interface Ending {
  readonly preStop: number;
  readonly grace: number;
}

/** A Service of four pods that is updated one by one, its slice written as the endpoint-slice controller writes it. */
export class Deployment {
  readonly #server: ApiServer;
  #replicas: Replica[] = [];
  readonly #spare: Pod[];

  /** @param pods how many pods there will be in all */
  constructor(server: ApiServer, { network, pods }: { network: Network; pods: number }) {
    this.#server = server;
    this.#spare = Array.from({ length: pods }, (_, number) => new Pod(network, number));
    const tcp = Object.entries(ports).filter(([name]) => name !== 'dns');
    server.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'shop', namespace: 'default' },
      spec: {
        type: 'NodePort',
        clusterIP: '172.30.0.50',
        ports: [
          ...tcp.map(([name, port]) => ({
            name: name.toLowerCase(),
            port,
            protocol: 'TCP',
            nodePort: nodePort(port),
          })),
          { name: 'dns', port: 53, targetPort: ports.dns, protocol: 'UDP', nodePort: 30_053 },
        ],
      },
    });
    server.create(this.#slice());
  }

  /** Starts pods and waits until they are ready. */
  async scale(count: number): Promise<void> {
    while (this.#replicas.length < count) await this.#add();
  }

  /** Replaces every pod: a new one is ready before an old one ends. */
  async roll(ending: Ending): Promise<void> {
    for (const replica of [...this.#replicas]) {
      await this.#add();
      await this.#remove(replica, ending);
    }
  }

  /** A pod's machine is lost; its slice is updated after `delay` milliseconds, and another pod takes its place. */
  async lose(name: string, delay: number): Promise<void> {
    const replica = this.#replicas.find(({ pod }) => pod.name === name);
    if (replica === undefined) throw new Error(`there is no pod ${name}`);
    replica.pod.cut();
    this.endedAt.set(replica.pod.name, performance.now());
    await sleep(delay);
    Object.assign(replica, { ready: false, serving: false });
    this.#publish();
    await this.#add();
    this.#forget(replica);
  }

  /** One pod's readiness changes each second. */
  async flap(times: number): Promise<void> {
    const replica = this.#replicas.at(-1);
    for (let turn = 0; replica !== undefined && turn < times; turn++) {
      replica.ready = !replica.ready;
      replica.serving = replica.ready;
      this.#publish();
      await sleep(1_000);
    }
    if (replica !== undefined) Object.assign(replica, { ready: true, serving: true });
    this.#publish();
  }

  /** Names and addresses of the pods that no slice calls ready or terminating any more. */
  readonly gone = new Set<string>();
  readonly goneAddresses = new Set<string>();
  /** When pods were cut off, by name, on the clock of `performance`. */
  readonly endedAt = new Map<string, number>();

  /** Ends everything. */
  close(): void {
    for (const { pod } of this.#replicas) pod.kill();
  }

  async #add(): Promise<void> {
    const pod = this.#spare.shift();
    if (pod === undefined) throw new Error('there are no more pods');
    pod.start();
    const replica = { pod, ready: false, serving: false, terminating: false };
    this.#replicas.push(replica);
    this.#publish();
    await sleep(300);
    Object.assign(replica, { ready: true, serving: true });
    this.#publish();
  }

  async #remove(replica: Replica, { preStop, grace }: Ending): Promise<void> {
    Object.assign(replica, { ready: false, terminating: true });
    this.#publish();
    await sleep(preStop);
    replica.pod.terminate();
    await sleep(grace);
    replica.pod.kill();
    this.endedAt.set(replica.pod.name, performance.now());
    this.#replicas = this.#replicas.filter((some) => some !== replica);
    this.#publish();
    this.#forget(replica);
  }

  #forget({ pod: { name, address } }: Replica): void {
    this.gone.add(name);
    this.goneAddresses.add(address);
  }

  #publish(): void {
    this.#server.apply(this.#slice());
  }

  #slice(): KubeObject {
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'shop-1', namespace: 'default', labels },
      addressType: 'IPv4',
      ports: Object.entries(ports).map(([name, port]) => ({
        name: name.toLowerCase(),
        port,
        protocol: name === 'dns' ? 'UDP' : 'TCP',
      })),
      endpoints: this.#replicas.map(({ pod, ready, serving, terminating }) => ({
        addresses: [pod.address],
        nodeName: 'here',
        conditions: { ready, serving, terminating },
        targetRef: { kind: 'Pod', namespace: 'default', name: pod.name, uid: pod.uid },
      })),
    };
  }
}
