import type { Ipvs, IpvsTimeouts } from '../ipvs/ipvs.ts';
import type { Logger } from '../log/log.ts';

/** Sets IPVS's timeouts, in seconds; 0 leaves one unchanged. Writes nothing if all are right. */
export function applyIpvsTimeouts(
  wanted: IpvsTimeouts,
  { ipvs, log }: { ipvs: Pick<Ipvs, 'timeouts' | 'setTimeouts'>; log: Logger },
): void {
  const { tcp, tcpFin, udp } = wanted;
  if (tcp === 0 && tcpFin === 0 && udp === 0) return;
  const before = ipvs.timeouts();
  const isRight = (name: keyof IpvsTimeouts) => wanted[name] === 0 || wanted[name] === before[name];
  if (isRight('tcp') && isRight('tcpFin') && isRight('udp')) return;
  ipvs.setTimeouts(wanted);
  log.info("set IPVS's timeouts", { before, after: ipvs.timeouts() });
}
