import { type Ipvs, realServerKey } from '../ipvs/ipvs.ts';
import type { StatusReport, VirtualServerReport } from './report.ts';

/** A report with the weights and connections that the kernel has now, one dump for each virtual server that is not lost. */
export async function withKernelCounts(
  report: StatusReport,
  ipvs: Pick<Ipvs, 'realServers'>,
): Promise<StatusReport> {
  const services = [];
  for (const service of report.services) {
    const virtualServers: VirtualServerReport[] = [];
    for (const one of service.virtualServers) virtualServers.push(await counted(one, ipvs));
    services.push({ ...service, virtualServers });
  }
  return { ...report, services, unreadVirtualServers: 0 };
}

async function counted(
  virtualServer: VirtualServerReport,
  ipvs: Pick<Ipvs, 'realServers'>,
): Promise<VirtualServerReport> {
  if (virtualServer.realServers.length === 0) return virtualServer;
  const found = await ipvs.realServers(virtualServer);
  const statuses = new Map(found.map((status) => [realServerKey(status), status]));
  const realServers = virtualServer.realServers.map((one) => {
    const status = statuses.get(realServerKey(one));
    if (status === undefined) return { ...one, weight: null };
    const { weight, activeConnections: active, inactiveConnections: inactive } = status;
    return { ...one, weight, connections: { active, inactive } };
  });
  return { ...virtualServer, realServers };
}
