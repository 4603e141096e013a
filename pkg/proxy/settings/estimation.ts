import type { Setting } from './setting.ts';

/** `--ipvs-estimation`: whether the kernel's estimator runs, which adds up the counters of virtual and real servers every 2 s. */
export type EstimationMode = 'auto' | 'on' | 'off';

/** Its kthreads give way to ordinary processes (0), but go before those that only use idle time (19). */
const nice = '10';

/**
 * The settings of the estimator. `auto` never switches it off or on, as drains take its counters as signs of life; like `on`, it
 * moves its kthreads to the CPUs that `cpus` returns and makes them give way to packets (Linux 6.2 and later). `off` is for nodes
 * on which they still cost too much.
 */
export function estimationSettings(
  mode: EstimationMode,
  cpus: () => string | undefined,
): readonly Setting[] {
  const run: Setting = {
    path: 'net/ipv4/vs/run_estimation',
    value: mode === 'on' ? '1' : '0',
    isOptional: true,
    isIfPresent: true,
  };
  if (mode === 'off') return [run];
  return [
    ...(mode === 'on' ? [run] : []),
    {
      path: 'net/ipv4/vs/est_cpulist',
      value: cpus,
      isOptional: true,
      isIfPresent: true,
    },
    { path: 'net/ipv4/vs/est_nice', value: nice, isOptional: true, isIfPresent: true },
  ];
}
