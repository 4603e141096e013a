import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadModule } from '../../pkg/ipvs/module.ts';
import { type NetlinkIpvs, openIpvs } from '../../pkg/ipvs/netlink.ts';
import { probeIpvs } from '../../pkg/ipvs/probe.ts';
import { printTraceEvent } from '../../pkg/netlink/trace.ts';
import { ipvsContract } from '../contract/ipvs.ts';
import { ip } from '../support/addresses.ts';
import { createNamespace, type Namespace } from '../support/namespace.ts';
import { virtualServerOf } from '../support/virtual-server.ts';

ipvsContract("the kernel's IPVS", () => {
  const namespace = createNamespace();
  const ipvs = openIpvs({ netns: namespace.path, loadModule });
  return {
    ipvs,
    readBack: () => namespace.run('ipvsadm', '-Sn').split('\n').slice(0, -1),
    close() {
      ipvs.close();
      namespace.remove();
    },
  };
});

const web = virtualServerOf(ip('172.30.0.1'), { port: 443 });

describe('on a kernel', () => {
  let namespace: Namespace;
  let ipvs: NetlinkIpvs;
  let traced: string[];
  beforeEach(() => {
    namespace = createNamespace();
    traced = [];
    const trace = (event: Parameters<typeof printTraceEvent>[0]) =>
      traced.push(printTraceEvent(event));
    ipvs = openIpvs({ netns: namespace.path, loadModule, trace });
  });
  afterEach(() => {
    ipvs.close();
    namespace.remove();
  });

  test('the probe leaves nothing behind', async () => {
    await probeIpvs(ipvs, { scheduler: 'rr', ipsetProtocol: () => 7 });
    expect(namespace.run('ipvsadm', '-Sn')).toBe('');
    const scheduler = 'nosuch';
    await expect(probeIpvs(ipvs, { scheduler, ipsetProtocol: () => 7 })).rejects.toThrow(
      "can't use the IPVS proxier: the kernel has no scheduler nosuch: load the module ip_vs_nosuch",
    );
  });

  test('firewall marks and other protocols are not reported', async () => {
    namespace.run('ipvsadm', '-A', '-f', '7', '-s', 'rr');
    expect(await ipvs.virtualServers()).toEqual([]);
    expect(namespace.run('ipvsadm', '-Sn')).toBe('-A -f 7 -s rr\n');
  });

  test('a trace speaks in the words of the schema', () => {
    ipvs.write([{ kind: 'addVirtualServer', virtualServer: web }]);
    expect(traced.at(-2)).toMatch(
      /^> IPVS_CMD_NEW_SERVICE #\d+ IPVS_CMD_ATTR \{service: IPVS_SVC_ATTR \{family: 2, protocol: 6, .*scheduler: "rr"/,
    );
    expect(traced.at(-1)).toMatch(/^< #\d+ ok$/);
  });
});
