import { field } from '../field.ts';
import { bool, text, versionRequest } from '../value-types.ts';

const group = 'Configuration and questions';

/** What the program does, and where its configuration is. */
export const configurationFields = {
  '--config': field(text, {
    flag: 'config',
    countsBesideFile: true,
    group,
    help: 'File with a KubeProxyConfiguration, in YAML or JSON. Most other flags do not count beside it.',
  }),
  '--write-config-to': field(text, {
    flag: 'write-config-to',
    countsBesideFile: true,
    group,
    help: 'Write the effective configuration to this file, as YAML, and exit.',
  }),
  '--cleanup': field(bool, {
    flag: 'cleanup',
    countsBesideFile: true,
    group,
    help: 'Remove what every mode left in the kernel, and exit; with status 1 if something of it stays.',
  }),
  '--init-only': field(bool, {
    flag: 'init-only',
    countsBesideFile: true,
    group,
    help: 'Do what needs a privileged container (modules, sysctls), and exit.',
  }),
  '--version': field(versionRequest, {
    flag: 'version',
    countsBesideFile: true,
    group,
    help: 'Print the version and exit; with =raw, all that is known of it.',
  }),
  '--help': field(bool, {
    flag: 'help',
    shorthand: 'h',
    countsBesideFile: true,
    group,
    help: 'Print this and exit.',
  }),
};
