import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { optimizationFlags } from './optimization.ts';

// V8 ignores a flag that it does not know, with a line on standard error.
test.each(optimizationFlags)('V8 knows %s, and it is not the default', (flag) => {
  const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  const [name] = flag.split('=');
  expect(options).toContain(`\n  ${name} (`);
  expect(options).not.toContain(`default: ${flag}\n`);
});

/** Whether V8 has compiled a function with a tier of its compilers after so many calls. */
function isCompiled(
  tier: 'Sparkplug' | 'Turbofan',
  { calls, isPostponed }: { calls: number; isPostponed: boolean },
): boolean {
  const module = JSON.stringify(join(import.meta.dirname, 'optimization.ts'));
  const script = `
    import { postponeOptimization } from ${module};
    if (${isPostponed}) postponeOptimization();
    function sumOf(list) { let sum = 0; for (const one of list) sum += one; return sum; }
    const list = Array.from({ length: 100 }, (_, index) => index);
    for (let count = 0; count < ${calls}; count++) sumOf(list);
    console.log(%ActiveTierIs${tier}(sumOf));`;
  const flags = ['--allow-natives-syntax', '--no-concurrent-recompilation', '--input-type=module'];
  const answer = execFileSync(process.execPath, [...flags, '--eval', script], { encoding: 'utf8' });
  return JSON.parse(answer) as boolean;
}

test('a process that runs compiles at once, and optimizes later', () => {
  const once = { calls: 1 };
  expect(isCompiled('Sparkplug', { ...once, isPostponed: false })).toBe(false);
  expect(isCompiled('Sparkplug', { ...once, isPostponed: true })).toBe(true);
  const often = { calls: 1400 };
  expect(isCompiled('Turbofan', { ...often, isPostponed: false })).toBe(true);
  expect(isCompiled('Turbofan', { ...often, isPostponed: true })).toBe(false);
});
