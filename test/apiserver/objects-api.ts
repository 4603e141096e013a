import type { ServerResponse } from 'node:http';
import { answerJson, answerPieces, answerText, type Form } from './answer.ts';
import type { Context } from './context.ts';
import { viewText } from './event-views.ts';
import { isRecord, type KubeObject } from './objects.ts';
import { applyPatch, isApplyPatch, parseBody } from './patch.ts';
import { checkShape, type Place, type WriteOptions } from './registry.ts';
import type { ApiRequest } from './request.ts';
import type { Resource } from './resources.ts';
import { conflict, deletionStatus, methodNotAllowed, noSuchPath } from './status.ts';
import type { Stored } from './store.ts';
import { tablePieces } from './tables.ts';

/** A request for one object, or to delete many, with what was sent along. */
export interface ObjectCall {
  readonly context: Context;
  readonly request: ApiRequest;
  readonly resource: Resource;
  readonly contentType: string;
  readonly body: string;
}

/** Answers everything about objects but lists and watches. */
export async function serveObject(
  call: ObjectCall,
  response: ServerResponse,
  form: Form,
): Promise<void> {
  const { request, resource, context } = call;
  if (
    request.subresource !== '' &&
    (request.subresource !== 'status' || resource.status === 'none')
  )
    throw noSuchPath();
  if (request.verb === 'delete') return remove(call, response);
  const { stored, code } = run(call);
  if (form === 'objects') return answerText(response, code, `${viewText(resource, stored)}\n`);
  const metadata = { resourceVersion: String(stored.version) };
  const include = request.query.get('includeObject') ?? 'Metadata';
  await answerPieces(
    response,
    tablePieces(resource, [stored], { metadata, include, now: context.clock.wallClock() }),
  );
}

/** Carries out the verb, and returns the object of the answer. */
function run(call: ObjectCall): { stored: Stored; code: 200 | 201 } {
  const { context, request, resource } = call;
  const { registry } = context;
  const place = placeOf(call);
  switch (request.verb) {
    case 'get':
      return { stored: registry.get(resource, place), code: 200 };
    case 'create':
      return {
        stored: registry.create(
          checkShape(resource, parseBody(call.body), place),
          writeOptions(call),
        ),
        code: 201,
      };
    case 'update':
      return {
        stored: registry.update(
          checkShape(resource, parseBody(call.body), place),
          writeOptions(call),
        ),
        code: 200,
      };
    case 'patch':
      return patch(call, place);
    case 'delete':
    case 'list':
    case 'watch':
    case 'other':
      throw methodNotAllowed();
  }
}

function patch(call: ObjectCall, place: Place): { stored: Stored; code: 200 | 201 } {
  const { context, resource, contentType, body } = call;
  const options = writeOptions(call);
  if (isApplyPatch(contentType) && context.registry.find(resource, place) === undefined) {
    return {
      stored: context.registry.create(checkShape(resource, parseBody(body), place), options),
      code: 201,
    };
  }
  const present = context.registry.get(resource, place);
  const shown = JSON.parse(viewText(resource, present)) as KubeObject; // only texts of objects are stored
  const patched = checkShape(resource, applyPatch(shown, { contentType, body }), place);
  return { stored: context.registry.update(patched, options), code: 200 };
}

function remove(call: ObjectCall, response: ServerResponse): void {
  const { context, resource } = call;
  const place = placeOf(call);
  const stored = context.registry.get(resource, place);
  const options = parseBody(call.body || '{}');
  const preconditions =
    isRecord(options) && isRecord(options['preconditions']) ? options['preconditions'] : {};
  const { uid = stored.uid, resourceVersion = String(stored.version) } = preconditions;
  if (uid !== stored.uid || resourceVersion !== String(stored.version))
    throw conflict(resource, place.name);
  if (writeOptions(call).isDryRun)
    return answerJson(response, 200, deletionStatus(resource, stored));
  const deleted = context.registry.delete(resource, place);
  if (deleted.isGone) answerJson(response, 200, deletionStatus(resource, deleted.stored));
  else answerText(response, 200, viewText(resource, deleted.stored));
}

function placeOf({ request, resource }: ObjectCall): Place {
  return { namespace: resource.isNamespaced ? request.namespace : '', name: request.name };
}

function writeOptions({ context, request }: ObjectCall): WriteOptions {
  return {
    validate: context.isValidating(),
    part: request.subresource === 'status' ? 'status' : 'spec',
    isDryRun: request.query.get('dryRun') === 'All',
  };
}
