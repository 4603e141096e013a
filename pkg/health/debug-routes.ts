import { minutes, seconds } from '../runner/clock.ts';
import type { Route } from './http.ts';
import { type Reply, textReply } from './reply.ts';
import type { HttpRequest } from './request.ts';

/** Makes profiles of this process, as compressed pprof files. */
export interface ProfileSource {
  /** `busy` if another one is being made. Ends early if the signal aborts. */
  cpu(milliseconds: number, signal: AbortSignal): Promise<Uint8Array | 'busy'>;
  heap(): Promise<Uint8Array>;
}

/** What the debug pages use. */
export interface DebugOptions {
  /** Starts the profiler at the first call. */
  readonly profiles: () => Promise<ProfileSource>;
  readonly setVerbosity: (level: number) => void;
  readonly commandLine: readonly string[];
}

/** The longest and the default duration of a CPU profile, as in Go. */
const longestProfile = minutes(5);
const usualProfile = seconds(30);

/** The pages below `/debug` that upstream serves with `--profiling`, as far as Node has their data. */
export function debugRoutes(options: DebugOptions): readonly (readonly [string, Route])[] {
  const { profiles, commandLine } = options;
  const heap: Route = async () => fileReply('heap', await (await profiles()).heap());
  return [
    ['/debug/pprof', () => redirect('/debug/pprof/')],
    ['/debug/pprof/', () => textReply(200, index)],
    ['/debug/pprof/cmdline', () => textReply(200, commandLine.join('\0'))],
    // Profiles contain the names, so there are no symbols to look up.
    ['/debug/pprof/symbol', () => textReply(200, 'num_symbols: 0\n')],
    ['/debug/pprof/profile', async (request) => await cpuReply(request, await profiles())],
    ['/debug/pprof/heap', heap],
    ['/debug/flags/v', (request) => setVerbosity(request, options)],
  ];
}

const index = `/debug/pprof/

cmdline   the command line of the program
heap      what lives on the JavaScript heap, by who allocated it
profile   what the processor does for ?seconds=30
`;

async function cpuReply(request: HttpRequest, profiles: ProfileSource): Promise<Reply> {
  const wanted = Math.floor(Number(request.query.get('seconds') ?? 0) * 1000);
  const duration = wanted > 0 ? wanted : usualProfile;
  if (!(duration <= longestProfile))
    return textReply(400, `a profile takes ${longestProfile / 1000} seconds at most\n`);
  request.takes(duration);
  const file = await profiles.cpu(duration, request.signal);
  if (file === 'busy')
    return textReply(500, 'Could not enable CPU profiling: cpu profiling already in use\n');
  return fileReply('profile', file);
}

async function setVerbosity(
  request: HttpRequest,
  { setVerbosity: set }: DebugOptions,
): Promise<Reply> {
  if (request.method !== 'PUT') return textReply(406, 'unsupported http method');
  const text = await request.body();
  const level = /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  if (level === undefined)
    return textReply(
      400,
      `failed set klog.logging.verbosity ${JSON.stringify(text.slice(0, 20))}: not a whole number`,
    );
  set(level);
  return textReply(200, `successfully set klog.logging.verbosity to ${level}`);
}

function redirect(location: string): Reply {
  const { headers, body } = textReply(301, '');
  return { status: 301, headers: { ...headers, Location: location }, body };
}

function fileReply(name: string, body: Uint8Array): Reply {
  const headers = {
    'Content-Type': 'application/octet-stream',
    'Content-Disposition': `attachment; filename="${name}"`,
    'X-Content-Type-Options': 'nosniff',
  };
  return { status: 200, headers, body };
}
