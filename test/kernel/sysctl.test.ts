import { execFileSync } from 'node:child_process';
import { ProcSysctl } from '../../pkg/sysctl/proc.ts';
import { sysctlContract } from '../contract/sysctl.ts';

sysctlContract("this kernel's settings", () => ({
  sysctl: new ProcSysctl(),
  readBack: (path) => execFileSync('cat', [`/proc/sys/${path}`], { encoding: 'utf8' }).trim(),
}));
