import type { Socket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiServer } from '@kube-proxy-ipvs/test-apiserver';
import { textAt } from '@kube-proxy-ipvs/test-apiserver/objects';
import { familyOf } from '../../pkg/ip/address.ts';
import { ip } from '../support/addresses.ts';
import { Kubectl } from '../support/kubectl.ts';
import { type Answers, serveDns } from '../support/network/dns.ts';
import { serveHttp } from '../support/network/http.ts';
import { type Host, Network } from '../support/network/network.ts';
import { ProxyProcess } from './proxy.ts';
import {
  clusterAddresses,
  nameOf,
  type PodFacts,
  type PodPort,
  podsOf,
  readShop,
  readyAddresses,
} from './shop.ts';
import { removePods, wirePods } from './wiring.ts';

/** The name of the node, in `shop/00-cluster.yaml` and for the proxy. */
export const nodeName = 'worker-1';

const clusterCidr = '10.0.0.0/16,fd00:10::/48';
const apiAddress = ip('192.168.0.2');

/** Paths of the programs that are shown. */
export interface Programs {
  readonly kubectl: string;
  readonly proxy: string;
}

/** A pod: a machine of the network, and what it serves. */
export interface Pod extends Host {
  /** Questions that it answered, if it is a DNS server. */
  questions: number;
  /** Stops serving, as a pod after SIGTERM: requests that are under way are answered. */
  stop(): void;
}

/** Everything there is: a node with pods on it, a client outside, an API server, and the proxy on the node. */
export class Stage implements AsyncDisposable {
  readonly network = new Network();
  readonly outside: Host;
  readonly server: ApiServer;
  readonly pods = new Map<string, Pod>();
  /** A folder for whatever is written; gone afterwards. */
  readonly folder = mkdtempSync(join(tmpdir(), 'demo-'));
  readonly kubeconfig = join(this.folder, 'kubeconfig');
  readonly programs: Programs;
  readonly #api: Host;
  #kubectl: Kubectl | undefined;
  #proxy: ProxyProcess | undefined;
  /** How many pods were wired so far: the next one's number. */
  #wired = 0;

  constructor(programs: Programs) {
    this.programs = programs;
    this.outside = this.network.addClient('client', [ip('203.0.113.7'), ip('2001:db8:203:113::7')]);
    this.#api = this.network.addClient('api', [apiAddress]);
    this.server = new ApiServer({ host: apiAddress, port: 6443, hosts: ['172.30.0.1'] });
  }

  /** The machine that the proxy is for. */
  get node(): Host {
    return { ...this.network.node, name: nodeName };
  }

  /** The proxy; throws before it was started. */
  get proxy(): ProxyProcess {
    if (this.#proxy === undefined) throw new Error('the proxy was not started');
    return this.#proxy;
  }

  /** Starts the API server on a machine of its own. Nothing else may open sockets meanwhile. */
  async listen(): Promise<void> {
    const leave = this.#api.namespace.enter();
    try {
      await this.server.listen();
    } finally {
      leave();
    }
    const kubeconfig = this.server.kubeconfig();
    writeFileSync(this.kubeconfig, kubeconfig, { mode: 0o600 });
    this.#kubectl = new Kubectl(this.programs.kubectl, kubeconfig);
  }

  /** Starts the proxy on the node. */
  startProxy(): ProxyProcess {
    const flags = [
      `--kubeconfig=${this.kubeconfig}`,
      `--hostname-override=${nodeName}`,
      '--proxy-mode=ipvs',
      `--cluster-cidr=${clusterCidr}`,
      '-v=2',
    ];
    this.#proxy = new ProxyProcess({
      program: this.programs.proxy,
      node: this.network.node,
      flags,
      folder: this.folder,
    });
    return this.#proxy;
  }

  /** Brings up the pods that the slices of a folder of manifests speak of. */
  async startShop(manifests: string): Promise<void> {
    const slices = readShop(manifests).filter(({ kind }) => kind === 'EndpointSlice');
    await this.startPods(podsOf(slices));
  }

  /** Brings up pods that serve what they say. */
  async startPods(plans: readonly PodFacts[]): Promise<void> {
    const hosts = await wirePods(this.network.node, { plans, first: this.#wired });
    this.#wired += plans.length;
    for (const [index, host] of hosts.entries()) this.#serve(host, plans[index]?.ports ?? []);
  }

  /** Takes a pod away. */
  async removePod(pod: Pod): Promise<void> {
    pod.stop();
    this.pods.delete(pod.name);
    await removePods([pod]);
  }

  /** The last log lines of the proxy, and how it ended. Ends it first if it runs. */
  async lastWords(lines: number): Promise<string[]> {
    if (this.#proxy === undefined) return ['(it was not started)'];
    const { how } = await this.#proxy.stop();
    return [...this.#proxy.lastWords(lines), `(ended with ${how})`];
  }

  /** The first pod of an application; throws if there is none. */
  pod(application: string): Pod {
    return this.#find(application, (name) => name.startsWith(`${application}-`));
  }

  /** The pod of this name; throws if there is none. */
  podNamed(name: string): Pod {
    return this.#find(name, (candidate) => candidate === name);
  }

  /** Runs kubectl where the API server is, to its end. Returns what it printed; throws with its complaint if it fails. */
  async kubectl(args: readonly string[], input = ''): Promise<string> {
    if (this.#kubectl === undefined) throw new Error('the API server does not listen yet');
    const leave = this.#api.namespace.enter();
    const running = this.#kubectl.run(['--request-timeout=60s', ...args], input);
    leave(); // the process was started in there
    const { code, stdout, stderr } = await running;
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr.trim()}`);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy?.stop();
    for (const pod of this.pods.values()) pod.stop();
    await this.server.close();
    this.#kubectl?.[Symbol.dispose]();
    await removePods([...this.pods.values()]);
    this.network.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #find(what: string, isIt: (name: string) => boolean): Pod {
    const pod = [...this.pods.values()].find(({ name }) => isIt(name));
    if (pod === undefined) throw new Error(`there is no pod of ${what}`);
    return pod;
  }

  #serve(host: Host, ports: readonly PodPort[]): void {
    const servers: (Server | Socket)[] = [];
    const pod: Pod = {
      ...host,
      questions: 0,
      stop() {
        for (const server of servers.splice(0)) server.close();
      },
    };
    for (const address of host.addresses) {
      for (const { port, protocol } of ports) {
        if (protocol === 'TCP') servers.push(serveHttp(host, { address, port }));
        else servers.push(serveDns(host, { address, port }, (asked) => this.#look(pod, asked)));
      }
    }
    this.pods.set(host.name, pod);
  }

  /** What the cluster's DNS knows: Services by `<name>.<namespace>.svc.cluster.local`. */
  #look(pod: Pod, asked: string): Answers | undefined {
    pod.questions++;
    const [name, namespace, ...zone] = asked.split('.');
    if (zone.join('.') !== 'svc.cluster.local') return undefined;
    const service = this.server
      .objects('Service')
      .find((object) => nameOf(object) === `${namespace}/${name}`);
    if (service === undefined) return undefined;
    const alias = textAt(service, 'spec.externalName');
    if (alias !== '') return { type: 'alias', of: alias };
    const slices = () => this.server.objects('EndpointSlice');
    const own = clusterAddresses(service);
    return {
      type: 'addresses',
      addresses: own.length > 0 ? own : readyAddresses(nameOf(service), slices()),
    };
  }
}

/** The address of a host in a family, 4 or 6; throws if it has none. */
export function addressOf({ name, addresses }: Host, family: 'IPv4' | 'IPv6') {
  const address = addresses.find((candidate) => familyOf(candidate) === family);
  if (address === undefined) throw new Error(`${name} has no ${family} address`);
  return address;
}
