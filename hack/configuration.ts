/** Writes docs/configuration.md, the reference of all options. `hack/run node hack/configuration.ts`. */
import { writeFileSync } from 'node:fs';
import { reference } from './configuration/reference.ts';

writeFileSync('docs/configuration.md', reference());
