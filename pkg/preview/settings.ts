import type { IpvsTimeouts } from '../ipvs/ipvs.ts';
import type { Sysctl } from '../sysctl/sysctl.ts';

/** A kernel setting that a start would change. */
export interface SettingChange {
  /** As `/proc/sys` has it, or a name for what is set in another way. */
  readonly path: string;
  /** `undefined` if the kernel does not have it yet. */
  readonly before: string | undefined;
  readonly value: string;
}

/** Settings that are read from a node, and whose writes are only recorded. */
export class PreviewSettings {
  readonly changes: SettingChange[] = [];

  /** The settings below a folder. `prefix` goes before the paths of changes. */
  over(real: Pick<Sysctl, 'read' | 'kernelRelease'>, prefix = ''): Sysctl {
    const written = new Map<string, string>();
    return {
      read: (path) => written.get(path) ?? real.read(path),
      kernelRelease: () => real.kernelRelease(),
      write: (path, value) => {
        this.changes.push({ path: `${prefix}${path}`, before: real.read(path), value });
        written.set(path, value);
      },
    };
  }

  /** IPVS's timeouts. Without IPVS they are unknown. */
  timeouts(read: (() => IpvsTimeouts) | undefined): {
    timeouts(): IpvsTimeouts;
    setTimeouts(timeouts: IpvsTimeouts): void;
  } {
    const before = read?.();
    return {
      timeouts: () => before ?? { tcp: 0, tcpFin: 0, udp: 0 },
      setTimeouts: (wanted) => {
        this.changes.push({
          path: 'IPVS timeouts (tcp tcpfin udp)',
          before: before && printTimeouts(before),
          value: printTimeouts({
            tcp: wanted.tcp || (before?.tcp ?? 0),
            tcpFin: wanted.tcpFin || (before?.tcpFin ?? 0),
            udp: wanted.udp || (before?.udp ?? 0),
          }),
        });
      },
    };
  }
}

/** In the order of `ipvsadm --set`. */
function printTimeouts({ tcp, tcpFin, udp }: IpvsTimeouts): string {
  return `${tcp} ${tcpFin} ${udp}`;
}
