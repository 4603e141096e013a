import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { previewReporter } from '../../pkg/preview/reporter.ts';
import { compilingFirstSync, optimizationFlags } from './optimization.ts';

const ignoredReports = previewReporter({ firstSyncDone: () => undefined, state: () => undefined });

// V8 ignores a flag that it does not know, with a line on standard error.
test.each(optimizationFlags)('V8 knows %s, and it is not the default', (flag) => {
  const options = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  const [name] = flag.replace('--no-', '--').split('=');
  expect(options).toContain(`\n  ${name} (`);
  expect(options).not.toContain(`default: ${flag}\n`);
});

/** When the program calls a function. */
type Moment = 'as node does by itself' | 'before' | 'in a small one' | 'in' | 'after';

/** Whether V8 has compiled a function with a tier of its compilers after so many calls, at some moment of the first sync. */
function isCompiled(
  tier: 'Sparkplug' | 'Turbofan',
  { calls, moment }: { calls: number; moment: Moment },
): boolean {
  const module = JSON.stringify(join(import.meta.dirname, 'optimization.ts'));
  const script = `
    import { compilingFirstSync, postponeOptimization } from ${module};
    const ignore = () => undefined;
    const reporter = compilingFirstSync({ firstSyncBegins: ignore, firstSyncDone: ignore });
    const moment = '${moment}';
    if (moment !== 'as node does by itself') postponeOptimization();
    if (moment === 'in a small one') reporter.firstSyncBegins(499);
    if (moment === 'in' || moment === 'after') reporter.firstSyncBegins(500);
    if (moment === 'after') reporter.firstSyncDone();
    function sumOf(list) { let sum = 0; for (const one of list) sum += one; return sum; }
    const list = Array.from({ length: 100 }, (_, index) => index);
    for (let count = 0; count < ${calls}; count++) sumOf(list);
    console.log(%ActiveTierIs${tier}(sumOf));`;
  const flags = ['--allow-natives-syntax', '--no-concurrent-recompilation', '--input-type=module'];
  const answer = execFileSync(process.execPath, [...flags, '--eval', script], { encoding: 'utf8' });
  return JSON.parse(answer) as boolean;
}

test('a first sync of many Services is compiled soon, and nothing before and after it', () => {
  const seldom = (moment: Moment) => isCompiled('Sparkplug', { calls: 20, moment });
  const moments = ['before', 'in a small one', 'in', 'after'] as const;
  expect(moments.map(seldom)).toEqual([false, false, true, false]);
});

test('a process that runs optimizes later than Node does by itself', () => {
  const often = (moment: Moment) => isCompiled('Turbofan', { calls: 1400, moment });
  expect([often('as node does by itself'), often('before')]).toEqual([true, false]);
});

test('what the first sync reports is passed on', () => {
  const reported: string[] = [];
  const reporter = compilingFirstSync({
    ...ignoredReports,
    firstSyncBegins: (services) => void reported.push(`begins with ${services}`),
    firstSyncDone: () => void reported.push('done'),
  });
  reporter.firstSyncBegins(7);
  reporter.firstSyncDone();
  expect(reported).toEqual(['begins with 7', 'done']);
});
