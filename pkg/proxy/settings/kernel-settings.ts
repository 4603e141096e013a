import { errorText } from '../../log/error-text.ts';
import type { Logger } from '../../log/log.ts';
import { type Clock, minutes } from '../../runner/clock.ts';
import { Throttle } from '../../runner/throttle.ts';
import type { Sysctl } from '../../sysctl/sysctl.ts';

/** A kernel setting that was not as IPVS mode needs it, and is now. */
export interface ChangedSetting {
  readonly path: string;
  /** What it was; `undefined` if it could not be read. */
  readonly before: string | undefined;
  readonly value: string;
}

/** The settings as those see them whose work rests on them. */
export interface KeptSettings {
  /** Looks at all settings and sets those again that somebody changed; what cannot be set, or is not to be, is said once. */
  restore(): void;
  /**
   * Whether IPVS forgets the connections of a deleted real server, as far as the last look told (expire_nodest_conn). Otherwise it
   * drops what their clients send until they time out, which takes 15 minutes.
   */
  readonly expiresConnections: boolean;
}

/** What {@link KernelSettings} work with. */
export interface KernelSettingsOptions {
  readonly sysctl: Sysctl;
  readonly clock: Clock;
  readonly log: Logger;
  /** The node does not answer ARP for VIPs on another device. */
  readonly strictArp: boolean;
  /** Settings that others change are set again; otherwise that is only said. */
  readonly isRestoring: boolean;
  /** A setting that somebody had changed was set again. */
  readonly onRestored: (setting: ChangedSetting) => void;
  /** How many settings are not as IPVS mode needs them, after each look. */
  readonly onLooked: (wrong: number) => void;
}

/** One setting that IPVS mode needs. */
interface Setting {
  readonly path: string;
  readonly value: string;
  /** Other values that will do. */
  readonly accepts?: RegExp | undefined;
  /** The program starts without it. */
  readonly isOptional?: true;
}

/** What IPVS mode needs of the kernel, set at the start and kept so. */
export class KernelSettings implements KeptSettings {
  readonly #options: KernelSettingsOptions;
  readonly #wanted: readonly Setting[];
  readonly #warnings: readonly string[];
  /** What was said of settings that are wrong, by path. */
  readonly #complaints = new Map<string, string>();
  /** What was wrong at the last look, by path. */
  readonly #wrong = new Set<string>();
  /** Whoever changes a setting how often, it is spoken of once a minute. */
  readonly #throttle: Throttle;

  constructor(options: KernelSettingsOptions) {
    const reuse = connectionReuse(options.sysctl.kernelRelease());
    this.#options = options;
    this.#throttle = new Throttle(options.clock, { interval: minutes(1) });
    this.#warnings = reuse.warnings;
    this.#wanted = [
      // Without it, connections through IPVS have no conntrack entry and are never masqueraded.
      { path: 'net/ipv4/vs/conntrack', value: '1' },
      ...reuse.settings,
      { path: expireNodest, value: '1' },
      { path: 'net/ipv4/vs/expire_quiescent_template', value: '1' },
      { path: 'net/ipv4/ip_forward', value: '1' },
      ...(options.strictArp ? strictArpSettings : []),
    ];
  }

  /**
   * Sets what is not as it should be; what is right already is not written, so that a read-only /proc/sys does no harm on a
   * prepared node. Throws `can't set sysctl <path> to <value>: …` at the first one that cannot be set and must be.
   */
  apply(): void {
    const { log } = this.#options;
    for (const warning of this.#warnings) log.warn(warning);
    for (const setting of this.#wanted) {
      const { path, value } = setting;
      const before = readable(this.#options.sysctl, path);
      if (isRight(before, setting)) continue;
      try {
        this.#options.sysctl.write(path, value);
        log.info('set a kernel setting', { path, before, value });
      } catch (cause) {
        const sentence = `can't set sysctl ${path} to ${value}: ${errorText(cause)}`;
        if (setting.isOptional !== true) throw new Error(sentence, { cause });
        this.#complaints.set(path, sentence);
        log.warn(sentence);
      }
    }
  }

  get expiresConnections(): boolean {
    return !this.#wrong.has(expireNodest);
  }

  restore(): void {
    for (const setting of this.#wanted) {
      if (this.#restore(setting)) this.#wrong.delete(setting.path);
      else this.#wrong.add(setting.path);
    }
    this.#options.onLooked(this.#wrong.size);
  }

  /** False if the setting is wrong and stays so. */
  #restore({ path, value, accepts }: Setting): boolean {
    const { sysctl, log, isRestoring, onRestored } = this.#options;
    try {
      const before = sysctl.read(path);
      if (!isRight(before, { value, accepts })) {
        if (!isRestoring) return this.#complain(path, `${path} is ${before}, not ${value}`);
        sysctl.write(path, value);
        onRestored({ path, before, value });
        if (this.#throttle.allows(path))
          log.info('restored a kernel setting', { path, before, value });
      }
    } catch (error) {
      return this.#complain(path, `can't set sysctl ${path} to ${value}: ${errorText(error)}`);
    }
    this.#complaints.delete(path);
    return true;
  }

  /** Says what is wrong with a setting, once until it is right again or something else is wrong with it. */
  #complain(path: string, sentence: string): false {
    if (this.#complaints.get(path) === sentence || !this.#throttle.allows(path)) return false;
    this.#complaints.set(path, sentence);
    this.#options.log.error(`a kernel setting is not as IPVS mode needs it: ${sentence}`);
    return false;
  }
}

const expireNodest = 'net/ipv4/vs/expire_nodest_conn';

/** The VIPs stand on a device of the node: it must not answer ARP for them on another one. */
const strictArpSettings: readonly Setting[] = [
  { path: 'net/ipv4/conf/all/arp_ignore', value: '1' },
  { path: 'net/ipv4/conf/all/arp_announce', value: '2' },
];

/**
 * conn_reuse_mode came with 4.1. Until 5.9 its default, 1, delayed by a second every connection that reuses a
 * source port. Since then it costs nothing, and until 5.16 it is all that keeps such a connection from a server of weight 0.
 */
function connectionReuse(release: string): { settings: readonly Setting[]; warnings: string[] } {
  const version = parseRelease(release);
  if (version === undefined) {
    return { settings: [], warnings: [`kernel release ${release} is not understood`] };
  }
  if (isBefore(version, [4, 1])) {
    const warning = `kernel ${release} is older than 4.1: connections that reuse a port may be lost`;
    return { settings: [], warnings: [warning] };
  }
  const path = 'net/ipv4/vs/conn_reuse_mode';
  const setting: Setting = isBefore(version, [5, 9])
    ? { path, value: '0' }
    : { path, value: '1', accepts: /^[1-9]\d*$/, isOptional: true };
  return { settings: [setting], warnings: [] };
}

function isRight(
  found: string | undefined,
  { value, accepts }: Pick<Setting, 'value' | 'accepts'>,
): boolean {
  return found === value || accepts?.test(found ?? '') === true;
}

/** A setting that cannot be read counts as wrong: writing it tells why. */
function readable(sysctl: Sysctl, path: string): string | undefined {
  try {
    return sysctl.read(path);
  } catch {
    return undefined;
  }
}

type KernelVersion = readonly [major: number, minor: number];

function parseRelease(release: string): KernelVersion | undefined {
  const found = /^(\d+)\.(\d+)/.exec(release);
  return found === null ? undefined : [Number(found[1]), Number(found[2])];
}

function isBefore([major, minor]: KernelVersion, [otherMajor, otherMinor]: KernelVersion): boolean {
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}
