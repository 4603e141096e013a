/**
 * Writes the digests of the image's bases into the Dockerfile, behind their tags: `hack/run node hack/image-digests.ts`. If Docker Hub
 * does not answer, the file stays as it is, and the status is 1.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { askHub, withDigests } from './release/digests.ts';

const path = new URL('../Dockerfile', import.meta.url);
try {
  writeFileSync(path, await withDigests(readFileSync(path, 'utf8'), askHub()));
} catch (error) {
  console.error('hack/image-digests.ts:', error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
