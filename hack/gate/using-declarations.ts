import type { Statement, VariableDeclarator } from '@swc/core';
import { Visitor } from '@swc/core/Visitor.js';

/** swc's visitor, which finds the imports, does not know `using` declarations and throws. */
export function teachUsing(): void {
  // oxlint-disable-next-line typescript/unbound-method -- it is called with its own `this` below
  const visitKnown = Visitor.prototype.visitStatement;
  Visitor.prototype.visitStatement = function visitStatement(this: Visitor, statement: Statement) {
    const { type, decls = [] } = statement as { type: string; decls?: VariableDeclarator[] };
    if (type !== 'UsingDeclaration') return visitKnown.call(this, statement);
    this.visitVariableDeclarators(decls);
    return statement;
  };
}
