import type { ProxyConfig } from '../../pkg/config/types.ts';
import type { IpAddress } from '../../pkg/ip/address.ts';
import { notesAbout } from '../../pkg/status/notes.ts';
import { checkReport } from '../../pkg/status/shape.ts';
import { readRunningProxy } from './running-proxy.ts';

/** How many bytes of the answer are read. */
const answerSize = 4 * 1024 * 1024;

/** What the running proxy of this node says about an address; `undefined` if none of ours answers. */
export async function proxyNotes(
  config: Pick<ProxyConfig, 'metrics'>,
  address: IpAddress,
): Promise<readonly string[] | undefined> {
  const path = `/debug/ipvs?address=${encodeURIComponent(address)}`;
  try {
    const answer = await readRunningProxy(config, { path, limit: answerSize });
    return notesAbout(checkReport(JSON.parse(answer)), address);
  } catch {
    return undefined;
  }
}
