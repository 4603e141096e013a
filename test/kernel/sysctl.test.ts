import { afterAll, beforeAll } from 'vitest';
import { ProcSysctl } from '../../pkg/sysctl/proc.ts';
import { sysctlContract } from '../contract/sysctl.ts';
import { createNamespace } from '../support/namespace.ts';

const namespace = createNamespace();
let leave = () => {};
beforeAll(() => {
  leave = namespace.enter();
});
afterAll(() => {
  leave();
  namespace.remove();
});

sysctlContract("this kernel's settings", () => ({
  sysctl: new ProcSysctl(),
  readBack: (path) => namespace.run('cat', `/proc/sys/${path}`).trim(),
}));
