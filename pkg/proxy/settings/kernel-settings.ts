import { errorText } from '../../log/error-text.ts';
import type { Logger } from '../../log/log.ts';
import { type Clock, minutes } from '../../runner/clock.ts';
import { Throttle } from '../../runner/throttle.ts';
import type { Sysctl } from '../../sysctl/sysctl.ts';
import type { Setting } from './setting.ts';

/** A kernel setting that had a wrong value and was set again. */
export interface ChangedSetting {
  readonly path: string;
  /** The value before; `undefined` if it could not be read. */
  readonly before: string | undefined;
  /** The value that was written. */
  readonly value: string;
}

/** The part of {@link KernelSettings} that the proxier uses. */
export interface KeptSettings {
  /**
   * Reads all settings and sets wrong ones again, if that is configured. Logs each one that stays wrong, once for each cause. Does not
   * throw.
   */
  restore(): void;
  /**
   * Whether `expire_nodest_conn` was set when the settings were last checked. If it is set, IPVS expires a connection whose real
   * server was deleted at the client's next packet. If not, IPVS drops the client's packets until the connection times out, which
   * takes 15 minutes.
   */
  readonly expiresConnections: boolean;
}

/** What {@link KernelSettings} work with. */
export interface KernelSettingsOptions {
  readonly sysctl: Sysctl;
  readonly clock: Clock;
  readonly log: Logger;
  /** Set `arp_ignore` and `arp_announce`, so that the node does not answer ARP for VIPs on another device. */
  readonly strictArp: boolean;
  /** Settings that the configuration asks for besides. */
  readonly others?: readonly Setting[];
  /** VIPs are local by routes. Set `arp_ignore`, or the node answers ARP for them. */
  readonly hasLocalRoutes: boolean;
  /** Set settings again that others changed; otherwise they are only logged. */
  readonly isRestoring: boolean;
  /** Called for each setting that was set again. */
  readonly onRestored: (setting: ChangedSetting) => void;
  /** Called after each check with the number of settings that stay wrong. */
  readonly onChecked: (wrong: number) => void;
}

/** Sets the sysctls that IPVS mode needs: at the start, and again when somebody changes them. */
export class KernelSettings implements KeptSettings {
  readonly #options: KernelSettingsOptions;
  readonly #wanted: readonly Setting[];
  readonly #warnings: readonly string[];
  /** The last message about each setting that is wrong, by path. */
  readonly #reported = new Map<string, string>();
  /** The paths of the settings that stayed wrong at the last check. */
  readonly #wrong = new Set<string>();
  /** Limits log lines to one a minute for each setting, however often it is changed. */
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
      ...arpSettings(options),
      ...(options.others ?? []),
    ];
  }

  /**
   * Sets each setting whose value is wrong. Right ones are not written, so the program starts with a read-only /proc/sys if the node
   * was prepared. Throws `can't set sysctl <path> to <value>: …` for the first setting that cannot be set and is not optional.
   */
  apply(): void {
    const { log } = this.#options;
    for (const warning of this.#warnings) log.warn(warning);
    for (const setting of this.#wanted) {
      const { path } = setting;
      const before = readable(this.#options.sysctl, path);
      const value = valueOf(setting, before);
      if (value === undefined || isRight(before, { ...setting, value })) continue;
      try {
        this.#options.sysctl.write(path, value);
        log.info('set a kernel setting', { path, before, value });
      } catch (cause) {
        const sentence = `can't set sysctl ${path} to ${value}: ${errorText(cause)}`;
        if (setting.isOptional !== true) throw new Error(sentence, { cause });
        this.#reported.set(path, sentence);
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
    this.#options.onChecked(this.#wrong.size);
  }

  /** Checks one setting and sets it again if that is configured. False if it stays wrong. */
  #restore(setting: Setting): boolean {
    const { sysctl, log, isRestoring, onRestored } = this.#options;
    const { path, accepts } = setting;
    let value: string | undefined;
    try {
      const before = sysctl.read(path);
      value = valueOf(setting, before);
      if (value !== undefined && !isRight(before, { value, accepts })) {
        if (!isRestoring) return this.#logOnce(path, `${path} is ${before}, not ${value}`);
        sysctl.write(path, value);
        onRestored({ path, before, value });
        if (this.#throttle.allows(path))
          log.info('restored a kernel setting', { path, before, value });
      }
    } catch (error) {
      return this.#logOnce(path, `can't set sysctl ${path} to ${value}: ${errorText(error)}`);
    }
    this.#reported.delete(path);
    return true;
  }

  /** Logs a message about a wrong setting, unless it was the last one about it since the setting was right. Returns false. */
  #logOnce(path: string, sentence: string): false {
    if (this.#reported.get(path) === sentence || !this.#throttle.allows(path)) return false;
    this.#reported.set(path, sentence);
    this.#options.log.error(`a kernel setting is not as IPVS mode needs it: ${sentence}`);
    return false;
  }
}

const expireNodest = 'net/ipv4/vs/expire_nodest_conn';

/**
 * Without these, the node answers ARP requests for VIPs on every device, and with the route of a range for all its addresses. With
 * routes, `arp_ignore` may also be one of the values that are stricter still.
 */
function arpSettings({
  strictArp,
  hasLocalRoutes,
}: Pick<KernelSettingsOptions, 'strictArp' | 'hasLocalRoutes'>): readonly Setting[] {
  const ignore: Setting = { path: 'net/ipv4/conf/all/arp_ignore', value: '1' };
  if (strictArp) return [ignore, { path: 'net/ipv4/conf/all/arp_announce', value: '2' }];
  return hasLocalRoutes ? [{ ...ignore, accepts: /^[128]$/ }] : [];
}

/**
 * The value of `conn_reuse_mode` for a kernel, with warnings to log. The sysctl exists since Linux 4.1. Before 5.9 its default, 1,
 * delays each new connection that reuses a client's port by a second, so it is set to 0. Since 5.9 there is no delay, and it is set
 * to 1: before 5.16 only this keeps such a connection from going to a real server of weight 0 again.
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

/** The wanted value of a setting, given what was read; `undefined` if it is left as it is. */
function valueOf({ value, isIfPresent }: Setting, found: string | undefined): string | undefined {
  if (isIfPresent === true && found === undefined) return undefined;
  return typeof value === 'string' ? value : value();
}

/** Whether a value that was read is the wanted one, or another accepted one. */
function isRight(
  found: string | undefined,
  { value, accepts }: { readonly value: string; readonly accepts?: RegExp | undefined },
): boolean {
  return found === value || accepts?.test(found ?? '') === true;
}

/** The value of a setting, or `undefined` if it cannot be read. It is written then, and the error of the write is reported. */
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
