import { must, notNegative } from '../checks.ts';
import { field, noEffect } from '../field.ts';
import { bool, int32, text } from '../value-types.ts';

const group = 'Leftovers of older releases';
const support = noEffect('the log goes to standard error');
const noCadvisor = noEffect('the machine is not described');

const severity = must<string>('must be a number or one of INFO, WARNING, ERROR, FATAL', (value) =>
  /^(\d+|info|warning|error|fatal)$/i.test(value),
);

/** Flags of libraries that upstream used. Some manifests still have them. */
export const leftoverFields = {
  '--add-dir-header': field(bool, { flag: 'add-dir-header', group, help: 'klog.', support }),
  '--alsologtostderr': field(bool, { flag: 'alsologtostderr', group, help: 'klog.', support }),
  '--log-backtrace-at': field(text, {
    flag: 'log-backtrace-at',
    group,
    help: 'klog: file:N.',
    support,
    check: must('must be file:N', (value) => /^(.+:\d+)?$/.test(value)),
  }),
  '--log-dir': field(text, { flag: 'log-dir', group, help: 'klog.', support }),
  '--log-file': field(text, { flag: 'log-file', group, help: 'klog.', support }),
  '--log-file-max-size': field(int32, {
    flag: 'log-file-max-size',
    default: 1800,
    group,
    help: 'klog.',
    support,
    check: notNegative,
  }),
  '--logtostderr': field(bool, {
    flag: 'logtostderr',
    default: true,
    group,
    help: 'klog.',
    support,
  }),
  '--one-output': field(bool, { flag: 'one-output', group, help: 'klog.', support }),
  '--skip-headers': field(bool, { flag: 'skip-headers', group, help: 'klog.', support }),
  '--skip-log-headers': field(bool, { flag: 'skip-log-headers', group, help: 'klog.', support }),
  '--stderrthreshold': field(text, {
    flag: 'stderrthreshold',
    default: '2',
    group,
    help: 'klog.',
    support,
    check: severity,
  }),
  '--boot-id-file': field(text, {
    flag: 'boot-id-file',
    default: '/proc/sys/kernel/random/boot_id',
    group,
    help: 'cAdvisor.',
    support: noCadvisor,
  }),
  '--machine-id-file': field(text, {
    flag: 'machine-id-file',
    default: '/etc/machine-id,/var/lib/dbus/machine-id',
    group,
    help: 'cAdvisor.',
    support: noCadvisor,
  }),
};

/** Flags that upstream has removed. They are accepted for old manifests, and their values are ignored. */
export const removedFlags: ReadonlySet<string> = new Set([
  'cleanup-ipvs',
  'cleanup-iptables',
  'conntrack-max',
  'proxy-port-range',
  'resource-container',
  'udp-timeout',
]);
