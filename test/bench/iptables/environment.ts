import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

/** Kernel, processor, emulation and versions, in one line. */
export function describeEnvironment(): string {
  return [
    `Linux ${release()}`,
    `${cpus().length} × ${cpus()[0]?.model.trim().replaceAll(/\s+/g, ' ') || 'unknown processor'}`,
    machine(),
    `Node ${process.version}`,
    firstLine('iptables', '-V'),
    firstLine('nft', '-v'),
    `commit ${firstLine('git', 'rev-parse', '--short=12', 'HEAD')}`,
  ].join('; ');
}

/** What the kernel runs on. A hypervisor that is not ours shows in the flags of the processor. */
function machine(): string {
  if (process.env['KERNEL_WHERE'] === 'vm')
    return process.env['KERNEL_VM_ACCEL'] === 'kvm'
      ? 'a virtual machine (KVM)'
      : 'a virtual machine in software emulation (QEMU TCG)';
  return /^flags\s*:.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))
    ? 'the kernel of this machine, under a hypervisor'
    : 'the kernel of this machine, no emulation';
}

function firstLine(command: string, ...parameters: readonly string[]): string {
  const { stdout } = spawnSync(command, parameters, { encoding: 'utf8' });
  return stdout?.split('\n')[0]?.trim() || `no ${command}`;
}
