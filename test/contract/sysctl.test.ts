import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { FakeSysctl } from '../../pkg/sysctl/fake.ts';
import { ProcSysctl } from '../../pkg/sysctl/proc.ts';
import { sysctlContract } from './sysctl.ts';

sysctlContract('the fake settings', () => {
  const sysctl = new FakeSysctl({ values: { 'net/ipv4/ip_forward': '0' } });
  return { sysctl, readBack: (path) => sysctl.dump().split(`${path}=`)[1] ?? '' };
});

const folder = mkdtempSync(join(tmpdir(), 'sysctl-'));
afterAll(() => rmSync(folder, { recursive: true }));

sysctlContract('settings in an ordinary folder', () => {
  mkdirSync(join(folder, 'net/ipv4'), { recursive: true });
  writeFileSync(join(folder, 'net/ipv4/ip_forward'), '0\n');
  return {
    sysctl: new ProcSysctl({ root: folder }),
    readBack: (path) => readFileSync(join(folder, path), 'utf8').trim(),
  };
});
