/**
 * Writes loops of few, constant turns out, for drivers that do not. SwiftShader keeps an array that is indexed by a
 * loop's variable in memory and checks every access; indexed by constants, its elements are registers, and a register
 * tile is ten times as fast. The variable becomes a constant of each copy's block, so the body stays as it is written.
 */

/** Turns of a loop that is written out, and characters that it may grow to. */
const [MOST_TURNS, MOST_TEXT] = [64, 400_000];

/** `for (var i = A; i < B; i++) {` or with `i += C`. */
const HEAD = /\bfor\s*\(\s*var\s+(\w+)\s*=\s*([^;{}]+);\s*(\w+)\s*<\s*([^;{}]+);\s*(\w+)\s*(?:\+\+|\+=\s*([^){}]+))\s*\)\s*\{/;

type Constants = ReadonlyMap<string, number>;

/** The same shader with its short loops between constant bounds written out. A loop that is left early stays as it is. */
export function unroll(source: string): string {
  const code = source.replace(/\/\/[^\n]*/g, '');
  return unrollIn(code, constantsOf(code));
}

function unrollIn(code: string, constants: Constants): string {
  const head = HEAD.exec(code);
  if (head === null) return code;
  const opens = head.index + head[0].length;
  const closes = endOfBlock(code, opens);
  return code.slice(0, head.index) + writtenOut(head, code.slice(opens, closes), constants) + unrollIn(code.slice(closes + 1), constants);
}

/** One loop; where it cannot be written out itself, with its inner loops written out. */
function writtenOut([head, name, from, compared, to, stepped, by = '1u']: RegExpExecArray, body: string, outer: Constants): string {
  // What the body declares hides a constant of the same name.
  const constants = new Map([...outer].filter(([each]) => !new RegExp(`\\b(?:const|let|var)\\s+${each}\\b`).test(body)));
  const asIs = (): string => `${head}${unrollIn(body, constants)}}`;
  const [first, end, step] = [from, to, by].map((expression) => evaluate(expression, outer));
  if (compared !== name || stepped !== name || first === undefined || end === undefined || step === undefined || step <= 0) return asIs();
  const turns = Math.max(0, Math.ceil((end - first) / step));
  const leavesOrMoves = new RegExp(`\\b(?:break|continue)\\b|\\b${name}\\s*(?:[-+*/%&|^]?=(?!=)|\\+\\+|--)`);
  if (turns > MOST_TURNS || leavesOrMoves.test(body)) return asIs();
  const suffix = /\d$/.test(from.trim()) ? 'i' : 'u';
  const blocks = Array.from({ length: turns }, (_, i) => {
    const value = first + i * step;
    return `{ const ${name} = ${value}${suffix};${unrollIn(body, new Map(constants).set(name, value))}}`;
  }).join('\n');
  return blocks.length > MOST_TEXT ? asIs() : blocks;
}

/** Whole numbers among the module's constants. */
function constantsOf(code: string): Constants {
  const found = new Map<string, number>();
  const declared = [...code.matchAll(/^const\s+(\w+)[^=;]*=([^;]+);/gm)];
  // A constant may stand before those that it is made of.
  for (let known = -1; found.size > known; ) {
    known = found.size;
    for (const [, name, expression] of declared) {
      const value = evaluate(expression, found);
      if (value !== undefined) found.set(name, value);
    }
  }
  return found;
}

/** The value of whole numbers, constants, `+ - * / %` and parentheses; undefined for anything else. */
function evaluate(expression: string, constants: Constants): number | undefined {
  const tokens = expression.match(/\w+|\S/g) ?? [];
  let at = 0;
  const primary = (): number => {
    const token = tokens[at++] ?? '';
    if (token !== '(') return /^\d+[ui]?$/.test(token) ? parseInt(token, 10) : (constants.get(token) ?? NaN);
    const value = sum();
    return tokens[at++] === ')' ? value : NaN;
  };
  const product = (): number => {
    let value = primary();
    while (['*', '/', '%'].includes(tokens[at])) {
      const operator = tokens[at++];
      const right = primary();
      value = operator === '*' ? value * right : operator === '/' ? Math.trunc(value / right) : value % right;
    }
    return value;
  };
  const sum = (): number => {
    let value = product();
    while (tokens[at] === '+' || tokens[at] === '-') value = tokens[at++] === '+' ? value + product() : value - product();
    return value;
  };
  const value = sum();
  return at === tokens.length && Number.isSafeInteger(value) ? value : undefined;
}

/** Where the block that was opened before `from` ends: its closing brace. */
function endOfBlock(code: string, from: number): number {
  let depth = 1;
  for (let at = from; at < code.length; at++) {
    if (code[at] === '{') depth++;
    else if (code[at] === '}' && --depth === 0) return at;
  }
  throw new Error('unroll: a block has no end');
}
