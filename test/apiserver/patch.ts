import { parse as parseYaml } from 'yaml';
import { isRecord, isSame, type Json, type KubeObject } from './objects.ts';
import { ApiError, badRequest, unsupportedMediaType } from './status.ts';
import { strategicMerge } from './strategic-merge.ts';

/** The object after a patch in one of the forms that an API server takes; 415 for any other form. */
export function applyPatch(
  object: KubeObject,
  patch: { contentType: string; body: string },
): KubeObject {
  return patchers(patch.contentType)(object, parseBody(patch.body)) as KubeObject; // its shape is checked after this
}

/** Whether the patch is one that creates what is not there. */
export function isApplyPatch(contentType: string): boolean {
  return contentType.startsWith('application/apply-patch+');
}

/** The value that a body in JSON or YAML holds; 400 if it is neither. */
export function parseBody(body: string): unknown {
  try {
    return body.trimStart().startsWith('{') || body.trimStart().startsWith('[')
      ? JSON.parse(body)
      : parseYaml(body);
  } catch (error) {
    throw badRequest(`error decoding: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Json = isRecord(target) ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field];
    else result[field] = mergePatch(result[field], value);
  }
  return result;
}

/** RFC 6902, all operations. */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch is a list');
  const root = { root: structuredClone(target) };
  for (const step of patch) {
    if (!isRecord(step) || typeof step['path'] !== 'string')
      throw badRequest('a step of a JSON patch has op and path');
    runStep(root, step, `/root${step['path']}`);
  }
  return root.root;
}

function patchers(contentType: string): (object: KubeObject, patch: unknown) => unknown {
  const type = contentType.split(';')[0]?.trim();
  if (type === 'application/merge-patch+json') return mergePatch;
  if (type === 'application/json-patch+json') return jsonPatch;
  if (
    type === 'application/strategic-merge-patch+json' ||
    type === 'application/apply-patch+yaml'
  ) {
    // Server-side apply without its ownership of fields: what is applied is merged, nothing is ever taken away.
    return (object, patch) => strategicMerge(object.kind, { target: object, patch });
  }
  throw unsupportedMediaType(contentType);
}

function runStep(root: Json, step: Json, path: string): void {
  const from = typeof step['from'] === 'string' ? `/root${step['from']}` : path;
  const { op, value } = step;
  if (op === 'test' && !isSame(find(root, path).get(), value)) {
    throw new ApiError({
      code: 422,
      reason: 'Invalid',
      message: `the server rejected our request: test of ${String(step['path'])} failed`,
    });
  }
  const moved = op === 'move' || op === 'copy' ? structuredClone(find(root, from).get()) : value;
  if (op === 'remove' || op === 'move') find(root, from).remove();
  if (op === 'replace') find(root, path).set(value);
  if (op === 'add' || op === 'move' || op === 'copy') find(root, path).add(moved);
}

/** The place that a JSON pointer names; its parent must be there. */
function find(root: Json, pointer: string) {
  const steps = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = steps.pop() ?? '';
  let parent: unknown = root;
  for (const step of steps)
    parent = Array.isArray(parent)
      ? parent[Number(step)]
      : isRecord(parent)
        ? parent[step]
        : undefined;
  if (Array.isArray(parent)) {
    const list = parent;
    const index = last === '-' ? list.length : Number(last);
    return {
      get: (): unknown => list[index],
      set: (value: unknown) => void list.splice(index, 1, value),
      add: (value: unknown) => void list.splice(index, 0, value),
      remove: () => void list.splice(index, 1),
    };
  }
  if (!isRecord(parent))
    throw badRequest(`the path ${pointer.slice('/root'.length)} does not exist`);
  const record = parent;
  const set = (value: unknown) => {
    record[last] = value;
  };
  return { get: () => record[last], set, add: set, remove: () => delete record[last] };
}
