import type { Resource } from './resources.ts';
import { badRequest } from './status.ts';
import type { Stored } from './store.ts';

/** Whether an object is meant. */
export type Selector = (stored: Stored) => boolean;

/** What a list or watch selects; either text may be ''. */
export interface SelectorTexts {
  readonly namespace: string;
  readonly labels: string;
  readonly fields: string;
}

/** The selector of a list or watch; 400 for one that cannot be read, or that asks for a field nobody may ask for. */
export function parseSelector(
  resource: Resource,
  { namespace, labels, fields }: SelectorTexts,
): Selector {
  const wanted = [...parseLabels(labels), ...parseFields(resource, fields)];
  if (namespace !== '') wanted.push((stored) => stored.namespace === namespace);
  return (stored) => wanted.every((matches) => matches(stored));
}

function parseLabels(text: string): Selector[] {
  // Commas inside the parentheses of a set separate values, not requirements.
  return split(text, /,(?![^(]*\))/).map(parseLabelRequirement);
}

function parseLabelRequirement(text: string): Selector {
  const set = /^(\S+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(text);
  if (set !== null) {
    const [, label = '', operator, list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    const isIn = ({ labels }: Stored) =>
      Object.hasOwn(labels, label) && values.includes(labels[label] ?? '');
    return operator === 'in' ? isIn : (stored) => !isIn(stored);
  }
  const equality = /^([^\s=!]+)\s*(==|=|!=)\s*([^\s=!]*)$/.exec(text);
  if (equality !== null) {
    const [, label = '', operator, value = ''] = equality;
    const isEqual = ({ labels }: Stored) => Object.hasOwn(labels, label) && labels[label] === value;
    return operator === '!=' ? (stored) => !isEqual(stored) : isEqual;
  }
  const existence = /^(!?)\s*([^\s=!()]+)$/.exec(text);
  if (existence === null) throw badRequest(`unable to parse requirement: ${text}`);
  const [, negation, label = ''] = existence;
  return ({ labels }) => Object.hasOwn(labels, label) === (negation === '');
}

function parseFields(resource: Resource, text: string): Selector[] {
  return split(text, ',').map((requirement) => {
    const parts = /^([^=!]+?)\s*(==|=|!=)\s*(.*)$/.exec(requirement);
    if (parts === null)
      throw badRequest(`invalid selector: '${requirement}'; can't understand '${requirement}'`);
    const [, field = '', operator, value = ''] = parts;
    if (!isSelectable(resource, field)) throw badRequest(`field label not supported: ${field}`);
    return ({ fields }) => ((fields[field] ?? '') === value) === (operator !== '!=');
  });
}

function isSelectable(resource: Resource, field: string): boolean {
  return (
    field === 'metadata.name' ||
    field === 'metadata.namespace' ||
    resource.selectableFields.includes(field)
  );
}

function split(text: string, separator: string | RegExp): string[] {
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
