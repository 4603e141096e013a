import type { Field } from './field.ts';
import { apiFields } from './fields/api.ts';
import { configurationFields } from './fields/configuration.ts';
import { ipvsFields } from './fields/ipvs.ts';
import { leftoverFields } from './fields/leftovers.ts';
import { localTrafficFields } from './fields/local-traffic.ts';
import { loggingFields } from './fields/logging.ts';
import { nodeFields } from './fields/node.ts';
import { otherModesFields } from './fields/other-modes.ts';
import { proxyFields } from './fields/proxy.ts';
import { serverFields } from './fields/servers.ts';

/**
 * All options, in the order of the help. The key is the path of the field in a `KubeProxyConfiguration`, or `--name` for an option
 * that only the command line has. Flags, file, defaults, validation, `/configz` and the reference are made from this table.
 */
const table = {
  ...configurationFields,
  ...apiFields,
  ...proxyFields,
  ...ipvsFields,
  ...localTrafficFields,
  ...serverFields,
  ...nodeFields,
  ...loggingFields,
  ...otherModesFields,
  ...leftoverFields,
};

/** The name of an option: the path of its field, or `--name`. */
export type Path = keyof typeof table;

/** A value for each option, valid or not. */
export type Settings = { readonly [P in Path]: (typeof table)[P]['default'] };

/** An option whose value type is unknown. Values must be from the same option. */
export type AnyField = Field<unknown> & { readonly path: Path };

/** All options as rows. */
export const fields: readonly AnyField[] = Object.entries(table).map(([path, row]) => ({
  ...(row as Field<unknown>), // forgets the type of its values
  path: path as Path, // the keys of the table are its paths
}));

/** The values if nothing is configured. */
export const defaults: Settings = settingsOf((row) => row.default);

/** Makes settings from a value for each option, which must be of the option's type. */
export function settingsOf(valueOf: (row: AnyField) => unknown): Settings {
  const entries = fields.map((row) => [row.path, valueOf(row)]);
  return Object.fromEntries(entries) as Settings; // one entry for each row
}

/** Whether an option has a field in a file. */
export function isFileField({ path }: { readonly path: string }): boolean {
  return !path.startsWith('--');
}
