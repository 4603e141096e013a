import { must, notNegative, positive } from '../checks.ts';
import { field, noEffect } from '../field.ts';
import { bool, durationOrNanoseconds, int32, modules, quantity, text } from '../value-types.ts';

const group = 'Logging';
const support = noEffect('every line is written at once, to standard error');

/** The options of the log. These flags count beside a file and override it. */
export const loggingFields = {
  'logging.verbosity': field(int32, {
    flag: 'v',
    shorthand: 'v',
    countsBesideFile: true,
    group,
    help: 'How much is logged: 0 is the least.',
    check: notNegative,
  }),
  'logging.format': field(text, {
    flag: 'logging-format',
    default: 'text',
    zeroIsDefault: true,
    countsBesideFile: true,
    group,
    help: 'text, as klog prints it, or json.',
    check: must('must be text or json', (value) => value === 'text' || value === 'json'),
  }),
  'logging.vmodule': field(modules, {
    flag: 'vmodule',
    countsBesideFile: true,
    group,
    help: 'Verbosity of single source files; for the text format.',
    support: noEffect('messages have no source files here'),
  }),
  'logging.flushFrequency': field(durationOrNanoseconds, {
    flag: 'log-flush-frequency',
    default: 5_000,
    zeroIsDefault: true,
    countsBesideFile: true,
    group,
    help: 'How long a line may wait before it is written.',
    support,
    check: positive,
  }),
  'logging.options.text.splitStream': field(bool, {
    flag: 'log-text-split-stream',
    countsBesideFile: true,
    group,
    help: 'Write messages that are no errors to standard output.',
    support,
  }),
  'logging.options.text.infoBufferSize': field(quantity, {
    flag: 'log-text-info-buffer-size',
    countsBesideFile: true,
    group,
    help: 'How much of them may wait.',
    support,
  }),
  'logging.options.json.splitStream': field(bool, {
    flag: 'log-json-split-stream',
    countsBesideFile: true,
    group,
    help: 'The same for JSON.',
    support,
  }),
  'logging.options.json.infoBufferSize': field(quantity, {
    flag: 'log-json-info-buffer-size',
    countsBesideFile: true,
    group,
    help: 'The same for JSON.',
    support,
  }),
};
