import { describe, expect, test } from 'vitest';
import { isNotFound } from '../../pkg/errno/errno.ts';
import type { Sysctl } from '../../pkg/sysctl/sysctl.ts';

/** Settings that hold `net/ipv4/ip_forward` and nothing called `net/ipv4/no_such_setting`, and another way to read them. */
export interface SysctlHarness {
  readonly sysctl: Sysctl;
  readonly readBack: (path: string) => string;
}

const forward = 'net/ipv4/ip_forward';

/** What every Sysctl does. */
export function sysctlContract(name: string, make: () => SysctlHarness): void {
  describe(name, () => {
    test('a value that was written is read back', () => {
      const { sysctl, readBack } = make();
      for (const value of ['1', '0', '1']) {
        sysctl.write(forward, value);
        expect(sysctl.read(forward)).toBe(value);
        expect(readBack(forward)).toBe(value);
      }
    });

    test('a setting that does not exist has no value', () => {
      expect(make().sysctl.read('net/ipv4/no_such_setting')).toBeUndefined();
    });

    test('a setting that does not exist cannot be written', () => {
      const { sysctl } = make();
      const write = () => sysctl.write('net/ipv4/no_such_setting', '1');
      expect(write).toThrow('write 1 to net/ipv4/no_such_setting: ENOENT');
      expect(caught(write)).toSatisfy(isNotFound);
      expect(sysctl.read('net/ipv4/no_such_setting')).toBeUndefined();
    });

    test('the kernel says its release', () => {
      expect(make().sysctl.kernelRelease()).toMatch(/^\d+\.\d+/);
    });
  });
}

function caught(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
