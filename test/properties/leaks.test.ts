import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentLogger } from '../../pkg/log/memory.ts';
import type { Reporter } from '../../pkg/proxy/reporter.ts';
import { ip } from '../support/addresses.ts';
import { serviceOptionsOf, takeStep } from '../support/model/stand.ts';
import { aStep, ModelWorld } from '../support/model/steps.ts';
import { recordingReporter, Stand } from '../support/proxier.ts';

// After thousands of random creates, updates and deletes, when everything is deleted, the kernel and the program's memory are as before.

const rounds = 4;
const stepsInRound = 2_500;
/** Long enough for vanished endpoints, drains of idle real servers and retired front ends. */
const longEnough = 70_000;
/** How much more the heap may have after the later rounds than after the earlier ones, in bytes for each change between them. */
const mostForChange = 200;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void; // as the flag has it

/** One that keeps nothing. */
function silentReporter(): Reporter {
  const methods = Object.entries(recordingReporter()).map(([name, value]) => [
    name,
    typeof value === 'function' ? () => undefined : value,
  ]);
  return Object.fromEntries(methods) as Reporter; // with the same names
}

function heap(): number {
  // Twice, as what weak references held goes with the second one.
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

test('10,000 random changes leave nothing behind when everything is deleted', {
  timeout: 240_000,
}, async () => {
  const stand = new Stand({ serviceOptionsOf, log: silentLogger, reporter: silentReporter() });
  await stand.sync();
  const { kernel } = stand;
  const empty = kernel.dump();
  const model = new ModelWorld([ip('192.168.0.10'), ip('fd00:192:168::10')]);
  const heaps: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const steps = fc.sample(aStep, { numRuns: stepsInRound, seed: round });
    for (const [index, step] of steps.entries()) {
      takeStep(stand, step);
      model.take(step);
      if (index % 10 === 0) await stand.settle(index % 50 === 0 ? 1_000 : 0);
    }
    for (const step of model.undoing()) {
      takeStep(stand, step);
      model.take(step);
    }
    await stand.settle(longEnough);
    expect(kernel.dump()).toBe(empty);
    heaps.push(heap());
  }
  await stand.stop();
  expect(kernel.links.watching()).toBe(0);
  // The engine's own share goes up and down.
  const growth = Math.min(...heaps.slice(2)) - Math.min(...heaps.slice(0, 2));
  expect(growth / (stepsInRound * 2)).toBeLessThan(mostForChange);
});
