import { expect, test } from 'vitest';
import { bothContents, noRuleContent, type RuleContent } from './rule-content.ts';

const few: RuleContent = { ...noRuleContent, nonEmpty: new Set(['loadBalancer']) };
const more: RuleContent = { ...noRuleContent, nonEmpty: new Set(['loadBalancer', 'loopBack']) };

test('of two contents the rules of both are included', () => {
  const both = bothContents(few, { ...noRuleContent, nonEmpty: new Set(['loopBack']) });
  expect(both).toEqual(more);
});

test('what has nothing more adds nothing: the content itself is written, and compared by reference from then on', () => {
  expect(bothContents(more, few)).toBe(more);
  expect(bothContents(more, { ...more })).toBe(more);
  expect(bothContents(few, more)).not.toBe(few);
});
