/**
 * Writes loops of few, constant turns out, for drivers that do not. SwiftShader keeps an array that is indexed by a
 * loop's variable in memory and checks every access; indexed by constants, its elements are registers, and a register
 * tile is ten times as fast. The variable becomes a constant of each copy's block, so the body stays as it is written.
 * Firefox's compiler, naga, counts the turns of every loop and bounds every index of an array that is not constant,
 * which no driver sees through: written out, a convolution is six times as fast there.
 */

/**
 * Turns of a loop that is written out, and places of it where memory is read or written, which take the compiler its
 * time: a register tile's sums are far below, the writing of a whole tile at the end of a kernel is above.
 */
const [MOST_TURNS, MOST_ACCESSES] = [64, 16];

/** `for (var i = A; i < B; i++) {` or with `i += C`. */
const HEAD = /\bfor\s*\(\s*var\s+(\w+)\s*=\s*([^;{}]+);\s*(\w+)\s*<\s*([^;{}]+);\s*(\w+)\s*(?:\+\+|\+=\s*([^){}]+))\s*\)\s*\{/;

type Constants = ReadonlyMap<string, number>;

interface Shader {
  /** Finds where it reads or writes memory: a binding or workgroup memory, or a function that does. */
  readonly memory: RegExp | null;
  /** Names of arrays that functions declare. */
  readonly arrays: ReadonlySet<string>;
}

/** The same shader with its short loops between constant bounds written out. A loop that is left early stays as it is. */
export function unroll(source: string): string {
  const code = source.replace(/\/\/[^\n]*/g, '');
  return unrollIn(code, constantsOf(code), { memory: memoryOf(code), arrays: new Set([...code.matchAll(/\bvar\s+(\w+)\s*:\s*array</g)].map(([, name]) => name)) });
}

function unrollIn(code: string, constants: Constants, shader: Shader): string {
  const head = HEAD.exec(code);
  if (head === null) return code;
  const opens = head.index + head[0].length;
  const closes = endOfBlock(code, opens);
  return code.slice(0, head.index) + writtenOut(head, code.slice(opens, closes), constants, shader) + unrollIn(code.slice(closes + 1), constants, shader);
}

/** One loop; where it cannot be written out itself, with its inner loops written out. */
function writtenOut([head, name, from, compared, to, stepped, by = '1u']: RegExpExecArray, body: string, outer: Constants, shader: Shader): string {
  // What the body declares hides a constant of the same name.
  const constants = new Map([...outer].filter(([each]) => !new RegExp(`\\b(?:const|let|var)\\s+${each}\\b`).test(body)));
  const asIs = (): string => `${head}${unrollIn(body, constants, shader)}}`;
  const [first, end, step] = [from, to, by].map((expression) => evaluate(expression, outer));
  if (compared !== name || stepped !== name || first === undefined || end === undefined || step === undefined || step <= 0) return asIs();
  const turns = Math.max(0, Math.ceil((end - first) / step));
  const leavesOrMoves = new RegExp(`\\b(?:break|continue)\\b|\\b${name}\\s*(?:[-+*/%&|^]?=(?!=)|\\+\\+|--)`);
  if (turns > MOST_TURNS || leavesOrMoves.test(body)) return asIs();
  const suffix = /\d$/.test(from.trim()) ? 'i' : 'u';
  const blocks = Array.from({ length: turns }, (_, i) => {
    const value = first + i * step;
    return `{ const ${name} = ${value}${suffix};${unrollIn(body, new Map(constants).set(name, value), shader)}}`;
  }).join('\n');
  const accesses = shader.memory === null ? 0 : [...blocks.matchAll(shader.memory)].length;
  return accesses > MOST_ACCESSES ? fromCopies(asIs(), body, shader) : blocks;
}

/**
 * A loop that stays reads arrays by its variable, which would keep them in memory everywhere: it reads copies instead.
 * Arrays that it writes, or that are its own, are left.
 */
function fromCopies(loop: string, body: string, { arrays }: Shader): string {
  const copied = new Set<string>();
  const text = loop.replace(/(?<![.\w])([A-Za-z_]\w*)(?=\[)/g, (name) => {
    const written = new RegExp(`(?<![.\\w])${name}\\s*\\[[^;]*?[^=!<>]=(?!=)|(?<![.\\w])${name}\\s*=(?!=)|\\bvar\\s+${name}\\b|&\\s*${name}\\b`);
    if (!arrays.has(name) || body.split(/[;{}]/).some((statement) => written.test(statement.trimStart().startsWith(name) || /\bvar\s|&/.test(statement) ? statement : ''))) return name;
    copied.add(name);
    return `${name}_copy`;
  });
  return copied.size === 0 ? text : `{ ${[...copied].map((name) => `var ${name}_copy = ${name};`).join(' ')} ${text} }`;
}

function memoryOf(code: string): RegExp | null {
  const names = [...code.matchAll(/\bvar<(?:storage|workgroup)[^>]*>\s*(\w+)/g)].map(([, name]) => `${name}\\s*\\[`);
  if (names.length === 0) return null;
  const bodies = [...code.matchAll(/\bfn\s+(\w+)[^{]*\{/g)].map((found) => [found[1], code.slice(found.index + found[0].length, endOfBlock(code, found.index + found[0].length))] as const);
  const pattern = (): RegExp => new RegExp(`(?<![.\\w])(?:${names.join('|')})`, 'g');
  // Functions that call such functions, too.
  for (let known = -1; names.length > known; ) {
    known = names.length;
    const found = pattern();
    for (const [name, body] of bodies) if (!names.includes(`${name}\\s*\\(`) && body.search(found) !== -1) names.push(`${name}\\s*\\(`);
  }
  return pattern();
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
