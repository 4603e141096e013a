import type { ServiceOptions } from '../../kube/annotations.ts';
import type { Service } from '../../kube/types.ts';
import { errorText } from '../../log/error-text.ts';

/** The options of a Service. None if its annotations cannot be read. */
export function readServiceOptions(
  service: Service,
  serviceOptionsOf: (service: Service) => ServiceOptions,
): ServiceOptions {
  try {
    return serviceOptionsOf(service);
  } catch (error) {
    return { problems: [{ field: 'metadata.annotations', message: errorText(error) }] };
  }
}
