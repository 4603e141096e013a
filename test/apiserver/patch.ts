import { parse as parseYaml } from 'yaml';
import { isRecord, type Json, type KubeObject } from './objects.ts';
import { badRequest, unsupportedMediaType } from './status.ts';
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

function patchers(contentType: string): (object: KubeObject, patch: unknown) => unknown {
  const type = contentType.split(';')[0]?.trim();
  if (type === 'application/merge-patch+json') return mergePatch;
  if (
    type === 'application/strategic-merge-patch+json' ||
    type === 'application/apply-patch+yaml'
  ) {
    // Server-side apply without its ownership of fields: what is applied is merged, nothing is ever taken away.
    return (object, patch) => strategicMerge(object.kind, { target: object, patch });
  }
  throw unsupportedMediaType(contentType);
}
