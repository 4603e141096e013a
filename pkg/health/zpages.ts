import { type Progress, printProgress } from '../runner/progress.ts';
import type { Route } from './http.ts';
import { jsonReply, type Reply, textReply } from './reply.ts';
import { type Accepted, accepted, type HttpRequest } from './request.ts';

/** The content of `/statusz`. Times are milliseconds. */
export interface Status {
  readonly started: number;
  readonly now: number;
  readonly runtime: string;
  readonly binaryVersion: string;
  readonly emulationVersion: string;
  readonly paths: readonly string[];
  /** The work that goes on. Only the text shows it: the object has the fields of `config.k8s.io`. */
  readonly progress: readonly Progress[];
}

/** What the pages are made with. */
interface PageTools {
  /** Prints a value as YAML. */
  readonly printYaml: (value: unknown) => string;
  /** Returns a number from 0 up to 1. */
  readonly random?: () => number;
}

/** One is chosen at random, as in upstream, so that nobody parses the text. */
const separators = [':', ': ', '=', ' '];

const warning =
  'Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.';

/** `/statusz`, as text for people or as an object of `config.k8s.io`. */
export function statuszRoute(status: () => Status, tools: PageTools): Route {
  return page('Statusz', {
    ...tools,
    title: 'kube-proxy statusz',
    lines(separator) {
      const { started, now, runtime, binaryVersion, emulationVersion, paths, progress } = status();
      const rows = {
        Started: new Date(started).toUTCString(),
        Up: printUptime(now - started),
        'Go version': runtime,
        'Binary version': binaryVersion,
        'Emulation version': emulationVersion,
        Paths: paths.join(' '),
      };
      const lines = progress.map((each): [string, string] => ['Progress', printProgress(each)]);
      return [...Object.entries(rows), ...lines].map(
        ([name, value]) => `${name}${separator}${value}`,
      );
    },
    object() {
      const { started, now, runtime, progress: _, ...rest } = status();
      return {
        startTime: new Date(started).toISOString().replace(/\.\d+Z/, 'Z'),
        uptimeSeconds: Math.floor((now - started) / 1000),
        goVersion: runtime,
        ...rest,
      };
    },
  });
}

/** `/flagz`: all flags with their values, in the same forms. */
export function flagzRoute(flags: () => Readonly<Record<string, string>>, tools: PageTools): Route {
  return page('Flagz', {
    ...tools,
    title: 'kube-proxy flags',
    lines: (separator) =>
      Object.entries(flags())
        .toSorted(([one], [other]) => (one < other ? -1 : 1))
        .map(([name, value]) => `${name}${separator}${value}`),
    object: () => ({ flags: flags() }),
  });
}

interface Page extends PageTools {
  readonly title: string;
  readonly lines: (separator: string) => readonly string[];
  readonly object: () => Readonly<Record<string, unknown>>;
}

function page(kind: 'Statusz' | 'Flagz', options: Page): Route {
  const { title, lines, object, printYaml, random = Math.random } = options;
  return (request) => {
    const form = formOf(request, kind);
    if (form === undefined)
      return textReply(
        406,
        'only text, or a version of config.k8s.io as JSON or YAML, is served\n',
      );
    if (form.type === 'text') {
      const separator = separators[Math.floor(random() * separators.length)] ?? ':';
      return textReply(200, ['', title, warning, '', ...lines(separator), ''].join('\n'));
    }
    const apiVersion = `config.k8s.io/${form.version}`;
    const value = { kind, apiVersion, metadata: { name: 'kube-proxy' }, ...object() };
    return form.type === 'json'
      ? jsonReply(200, JSON.stringify(value))
      : yamlReply(printYaml(value));
  };
}

type Form =
  | { readonly type: 'text' }
  | { readonly type: 'json' | 'yaml'; readonly version: string };

/** The preferred form; text by default. */
function formOf(request: HttpRequest, kind: string): Form | undefined {
  const header = request.header('accept');
  if (header.trim() === '') return { type: 'text' };
  for (const each of accepted(header)) {
    const form = each.quality > 0 ? formNamed(each, kind) : undefined;
    if (form !== undefined) return form;
  }
  return undefined;
}

function formNamed({ name, parameters }: Accepted, kind: string): Form | undefined {
  if (name === '*/*' || name === 'text/*' || name === 'text/plain') return { type: 'text' };
  const type = ({ 'application/json': 'json', 'application/yaml': 'yaml' } as const)[name];
  const version = parameters.get('v') ?? '';
  const isOurs = parameters.get('g') === 'config.k8s.io' && parameters.get('as') === kind;
  const isKnown = version === 'v1beta1' || version === 'v1alpha1';
  return type !== undefined && isOurs && isKnown ? { type, version } : undefined;
}

function yamlReply(body: string): Reply {
  const headers = { 'Content-Type': 'application/yaml', 'X-Content-Type-Options': 'nosniff' };
  return { status: 200, headers, body };
}

/** `2 hr 05 min 09 sec`. */
function printUptime(milliseconds: number): string {
  const total = Math.floor(milliseconds / 1000);
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor(total / 60) % 60;
  const two = (value: number) => String(value).padStart(2, '0');
  return `${hours} hr ${two(minutes)} min ${two(total % 60)} sec`;
}
