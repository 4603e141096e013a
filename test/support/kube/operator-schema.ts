import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The types and validators that this package makes from the Go types of the Prometheus operator. */
const operator = '@kubernetes-models/prometheus-operator';
const modules = fileURLToPath(new URL('../../../node_modules/', import.meta.url));

/** A class of the package. Its constructor takes an object, and `validate` throws at what the operator would refuse. */
type Model = new (object: unknown) => { validate(): void };

/**
 * What the Prometheus operator would not take of an object of `monitoring.coreos.com/v1`: fields of another form or missing, and
 * fields that are not known, which its validators pass over and the compiler does not. `undefined` for other objects.
 */
export async function operatorProblems(
  object: Readonly<Record<string, unknown>>,
): Promise<readonly string[] | undefined> {
  const { apiVersion, kind } = object;
  if (apiVersion !== 'monitoring.coreos.com/v1') return undefined;
  const path = `${operator}/${apiVersion}/${String(kind)}`;
  const models = (await import(path)) as Readonly<Record<string, Model>>;
  const Kind = models[String(kind)];
  if (Kind === undefined) throw new Error(`${path} has no class`);
  return [...invalidFields(new Kind(object)), ...(await compilerErrors(path, object))];
}

function invalidFields(model: { validate(): void }): readonly string[] {
  try {
    model.validate();
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** The errors of the compiler for the object as a literal of its type. */
async function compilerErrors(
  path: string,
  object: { readonly kind?: unknown },
): Promise<string[]> {
  // Below node_modules, where the compiler finds the package.
  const folder = mkdtempSync(join(modules, '.operator-schema-'));
  try {
    const type = `I${String(object.kind)}`;
    const literal = JSON.stringify(object);
    const text = `import type { ${type} } from '${path}';\nexport const one: ${type} = ${literal};\n`;
    writeFileSync(join(folder, 'one.ts'), text);
    const flags =
      '--ignoreConfig --noEmit --strict --skipLibCheck --module nodenext --pretty false';
    const output = await outputOf(join(modules, '.bin/tsc'), [
      ...flags.split(' '),
      join(folder, 'one.ts'),
    ]);
    return output.split('\n').flatMap((line) => /error TS\d+: .*/.exec(line)?.[0] ?? []);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What a program writes to its standard output. Throws if it cannot be started or fails without an error of the compiler. */
function outputOf(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { encoding: 'utf8' }, (error, stdout) => {
      if (error !== null && !stdout.includes('error TS'))
        reject(new Error(`${program} failed`, { cause: error }));
      else resolve(stdout);
    });
  });
}
