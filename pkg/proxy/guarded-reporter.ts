import type { Logger } from '../log/log.ts';
import type { Reporter } from './reporter.ts';

/** A reporter that does not throw: exceptions of another one are logged, once for each method. */
export function guarded(reporter: Reporter, log: Logger): Reporter {
  const failed = new Set<PropertyKey>();
  const methods = new Map<PropertyKey, (one?: unknown, other?: unknown) => void>();
  return new Proxy(reporter, {
    get(target, name) {
      const known = methods.get(name);
      if (known !== undefined) return known;
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== 'function') return method;
      // No method has a third parameter.
      const safe = (one?: unknown, other?: unknown) => {
        try {
          method.call(target, one, other);
        } catch (error) {
          if (!failed.has(name)) log.error('a report failed', error, { report: String(name) });
          failed.add(name);
        }
      };
      methods.set(name, safe);
      return safe;
    },
  });
}
