import { must, notNegative, positive } from '../checks.ts';
import { field, noEffect } from '../field.ts';
import { duration, float32, int32, text } from '../value-types.ts';

const group = 'Kubernetes API';

/** The connection to the API server, and the node's name. */
export const apiFields = {
  'clientConnection.kubeconfig': field(text, {
    flag: 'kubeconfig',
    group,
    help: "Path of a kubeconfig. Without it and --master, the pod's own service account is used.",
  }),
  '--master': field(text, {
    flag: 'master',
    countsBesideFile: true,
    group,
    help: "Address of the API server; overrides the kubeconfig's.",
  }),
  hostnameOverride: field(text, {
    flag: 'hostname-override',
    countsBesideFile: true,
    group,
    help: "Name of this node. Empty: the machine's host name.",
    check: must('must not be blank', (value) => value === '' || value.trim() !== ''),
  }),
  'clientConnection.acceptContentTypes': field(text, {
    group,
    help: 'Content types that lists and watches may have. Without protobuf among them they are JSON. Empty: as the content type says.',
  }),
  'clientConnection.contentType': field(text, {
    flag: 'kube-api-content-type',
    default: 'application/vnd.kubernetes.protobuf',
    zeroIsDefault: true,
    group,
    help: 'Content type of lists and watches: protobuf, or application/json. Everything else is JSON.',
  }),
  'clientConnection.qps': field(float32, {
    flag: 'kube-api-qps',
    default: 5,
    zeroIsDefault: true,
    group,
    help: 'Requests a second.',
    support: noEffect('requests have a limit of their own'),
  }),
  'clientConnection.burst': field(int32, {
    flag: 'kube-api-burst',
    default: 10,
    zeroIsDefault: true,
    group,
    help: 'Requests at once.',
    support: noEffect('requests have a limit of their own'),
    check: notNegative,
  }),
  configSyncPeriod: field(duration, {
    flag: 'config-sync-period',
    default: 900_000,
    zeroIsDefault: true,
    group,
    help: 'How often everything known of the API is gone through again.',
    support: noEffect('a watch that breaks is followed by a complete read'),
    check: positive,
  }),
};
