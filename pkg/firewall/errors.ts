import { type ErrnoCode, KernelError } from '../errno/errno.ts';
import { LockHeldError } from './firewall.ts';
import type { ProcessResult } from './process.ts';
import type { RestoreInput } from './render.ts';

/** The error for a failure of iptables-restore: the rule that failed, and what is missing for it. */
export function restoreError(
  operation: string,
  input: RestoreInput,
  { status, stderr }: ProcessResult,
): KernelError {
  const holder = /^.*holding the xtables lock.*$/m.exec(stderr)?.[0];
  if (status === 4 && holder !== undefined) return new LockHeldError(operation, holder.trim());
  const line = failedLine(stderr);
  const { code, reason } = cause(stderr, { status, rules: suspects(input, line) });
  const said = stderr
    .split('\n')
    .map((text) => text.trim())
    .filter((text) => text !== '' && !text.startsWith('Try `'));
  const detail = [reason, ...said, ...around(input.lines, line)].filter((text) => text !== '');
  return new KernelError(operation, code, { detail: detail.join('\n  ') });
}

/** Whether the same input may succeed at once, as another program changed the rules meanwhile. A held lock does not count. */
export function isTransient({ status, stderr }: ProcessResult): boolean {
  const isLasting = /permission denied|holding the xtables lock/i.test(stderr);
  return status === 4 && failedLine(stderr) === undefined && !isLasting;
}

/** How many lines before and after the failed one are shown. */
const context = 3;

function failedLine(stderr: string): number | undefined {
  const found = /\bline:? (\d+)/.exec(stderr)?.[1];
  return found === undefined ? undefined : Number(found);
}

function around(lines: readonly string[], line: number | undefined): string[] {
  if (line === undefined) return [];
  const first = Math.max(1, line - context);
  return lines.slice(first - 1, line + context).map((text, index) => {
    const number = first + index;
    return `${number === line ? '>' : ' '}${String(number).padStart(4)}: ${text}`;
  });
}

/** The failed rule, or all rules if COMMIT failed, as with the legacy flavour. */
function suspects({ lines }: RestoreInput, line: number | undefined): readonly string[] {
  const failed = line === undefined ? undefined : lines[line - 1];
  return failed?.startsWith('-') ? [failed] : lines.filter((text) => text.startsWith('-'));
}

interface Cause {
  readonly code: ErrnoCode;
  /** Empty if iptables' own message is clear. */
  readonly reason: string;
}

function cause(stderr: string, failure: { status: number; rules: readonly string[] }): Cause {
  const all = (pattern: RegExp) => [
    ...new Set([...stderr.matchAll(pattern)].map((match) => match[1])),
  ];
  if (/permission denied/i.test(stderr)) return { code: 'EPERM', reason: '' };
  const modules = all(/Extension (\S+) revision \d+ not supported/g).map((name) => `xt_${name}`);
  if (modules.length > 0) {
    return { code: 'EOPNOTSUPP', reason: `the kernel lacks the module ${modules.join(', ')}` };
  }
  const extensions = all(/Couldn't load (?:match|target) `([^']+)'/g);
  if (extensions.length > 0) {
    const reason = `this iptables lacks the extension ${extensions.join(', ')}`;
    return { code: 'EOPNOTSUPP', reason };
  }
  if (/Set \S+ doesn't exist/.test(stderr)) return { code: 'ENOENT', reason: '' };
  if (/can't initialize ip6?tables table|Table does not exist/.test(stderr)) {
    return { code: 'EOPNOTSUPP', reason: 'the kernel lacks the table, or its module' };
  }
  if (/No such file or directory|No chain\/target\/match|line \d+ failed/.test(stderr)) {
    const needed = neededModules(failure.rules);
    return { code: 'EOPNOTSUPP', reason: `is one of these kernel modules missing: ${needed}?` };
  }
  return { code: failure.status === 4 ? 'EBUSY' : 'EINVAL', reason: '' };
}

function neededModules(rules: readonly string[]): string {
  const matches = rules.flatMap((rule) => [...rule.matchAll(/ -m (\w+)/g)].map(([, name]) => name));
  const targets = rules.flatMap((rule) => / -j (MASQUERADE|MARK|REJECT)\b/.exec(rule)?.[1] ?? []);
  return [...new Set([...matches, ...targets])].map((name) => `xt_${name}`).join(', ');
}
