import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNamespace, type Namespace } from '../../support/namespace.ts';

/** Programs that can save what a first sync makes, and restore it. */
const programs = [
  { name: 'ipvsadm -R', save: 'ipvsadm -S -n', restore: 'ipvsadm -R' },
  { name: 'ipset restore', save: 'ipset save', restore: 'ipset restore' },
  {
    name: 'ip -batch',
    save: 'ip -o -4 addr show dev kube-ipvs0 | awk \'{print "addr add " $4 " dev kube-ipvs0"}\'',
    prepare: 'ip link add kube-ipvs0 type dummy',
    restore: 'ip -batch -',
  },
] as const;

/**
 * Milliseconds that other programs take to make what stands in a namespace, each its part, in a fresh namespace. A program that is not
 * installed is left out, and that is said.
 */
export function restoredByOthers(from: Namespace, folder: string): Record<string, number> {
  const times: Record<string, number> = {};
  for (const program of programs) {
    const saved = join(folder, 'saved');
    const [command = ''] = program.restore.split(' ');
    if (spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0) {
      console.error(`no ${command} here: it is not compared`);
      continue;
    }
    writeFileSync(saved, '');
    shell(from, `${program.save} > ${saved}`);
    if (readFileSync(saved).length === 0) continue;
    const to = createNamespace();
    try {
      if ('prepare' in program) shell(to, program.prepare);
      const begun = performance.now();
      shell(to, `${program.restore} < ${saved}`);
      times[program.name] = performance.now() - begun;
    } finally {
      to.remove();
    }
  }
  return times;
}

function shell(namespace: Namespace, script: string): void {
  const command = ['netns', 'exec', namespace.name, 'sh', '-c', script];
  const { status, stderr } = spawnSync('ip', command, { encoding: 'utf8', timeout: 600_000 });
  if (status !== 0) throw new Error(`${script}: status ${status}: ${stderr.slice(0, 400)}`);
}
