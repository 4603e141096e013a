import {
  Composer,
  CST,
  type Document,
  isPair,
  isScalar,
  Lexer,
  LineCounter,
  Parser,
  stringify,
  visit,
} from 'yaml';

/** How deep collections may be nested; objects of Kubernetes have a dozen levels. */
const deepest = 128;
/** How many anchors and aliases a text may have in all. Each alias stands for all that its anchor contains. */
const aliasLimit = 100;

/** How many characters a text may have: the library needs half a second for a megabyte. */
const longestText = 32 * 1024 * 1024;

/** A position in a text, counted from 1. */
export interface YamlPosition {
  readonly line: number;
  readonly column: number;
}

/** A text that is no YAML, or that would cost too much to read. */
export class YamlError extends Error {
  /** The library's code of the error: `BAD_INDENT`. */
  readonly code: string;
  /** `undefined` if it is about the whole text. */
  readonly position: YamlPosition | undefined;

  constructor(
    code: string,
    { message, position }: { message: string; position?: YamlPosition | undefined },
  ) {
    super(message);
    this.name = 'YamlError';
    this.code = code;
    this.position = position;
  }
}

/** Options for reading. */
export interface YamlOptions {
  /** Called with the path of a key that a map has twice, as `ipvs.scheduler`; the last value counts. Without it, that is an error. */
  readonly onDuplicate?: (path: string) => void;
}

/**
 * Yields the documents of a text. The time is proportional to the text's length: deep nesting and aliases of aliases are refused
 * before they are expanded. Throws YamlError only.
 */
export function* yamlDocuments(text: string, options: YamlOptions = {}): Generator<unknown> {
  if (text.length > longestText) {
    const message = `more than ${longestText} characters; as JSON it would be read faster`;
    throw new YamlError('REFUSED', { message });
  }
  const lines = new LineCounter();
  try {
    // The library's own search for duplicate keys compares each key with each.
    const composer = new Composer({ uniqueKeys: false, logLevel: 'error' });
    for (const document of composer.compose(tokens(text, lines)))
      yield valueOf(document as Document, { lines, ...options });
  } catch (error) {
    if (error instanceof YamlError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new YamlError('REFUSED', { message });
  }
}

/** A value as block YAML with two spaces for each level and a line end. Valid in YAML 1.1 too: `"yes"` is quoted. */
export function printYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, version: '1.1' });
}

/** The tokens of a text, within the limits. */
function* tokens(text: string, lines: LineCounter): Generator<CST.Token> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let aliases = 0;
  let isContent = false;
  for (const lexeme of new Lexer().lex(text)) {
    if (!isContent && /^[&*]/.test(lexeme) && ++aliases > aliasLimit)
      throw refusal(`more than ${aliasLimit} anchors and aliases`, { parser, lines });
    isContent = lexeme === CST.SCALAR;
    yield* parser.next(lexeme);
    if (parser.stack.length > deepest)
      throw refusal(`collections more than ${deepest} deep`, { parser, lines });
  }
  yield* parser.end();
}

function valueOf(document: Document, context: YamlContext): unknown {
  const [error] = document.errors;
  if (error !== undefined) {
    const position = positionAt(error.pos[0], context.lines);
    throw new YamlError(error.code, { message: error.message, position });
  }
  findDuplicates(document, context);
  return document.toJS();
}

/** What is passed on beside the document. */
type YamlContext = YamlOptions & { readonly lines: LineCounter };

/** Finds keys that a map has twice, which is a mistake: one of the values would be lost. */
function findDuplicates(document: Document, { lines, onDuplicate }: YamlContext): void {
  visit(document, {
    Map(_key, map, ancestors) {
      const known = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        if (known.has(key.value)) {
          const position = positionAt(key.range?.[0] ?? 0, lines);
          if (onDuplicate === undefined)
            throw new YamlError('DUPLICATE_KEY', { message: 'map keys must be unique', position });
          onDuplicate(pathOf([...ancestors.filter(isPair).map((pair) => pair.key), key]));
        }
        known.add(key.value);
      }
    },
  });
}

function pathOf(keys: readonly unknown[]): string {
  return keys.map((key) => (isScalar(key) ? String(key.value) : '?')).join('.');
}

function refusal(
  message: string,
  { parser, lines }: { parser: Parser; lines: LineCounter },
): YamlError {
  return new YamlError('REFUSED', { message, position: positionAt(parser.offset, lines) });
}

function positionAt(offset: number, lines: LineCounter): YamlPosition {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}
