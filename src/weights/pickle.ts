/**
 * Reads Python pickles as data. A pickle is a program for a stack machine that may name and call any Python function;
 * this machine calls none. It knows the instructions that build plain values, and hands each named global and each
 * call to a `PickleHost`, which knows a short list of them and refuses the rest.
 *
 * A hostile pickle costs no more than its size: instructions are counted, values are shared and never copied, numbers
 * are bounded, and nothing recurses. Instructions: CPython's Lib/pickletools.py, protocols 0 to 5.
 */
import { WeightsError } from '../errors';
import { quote } from './byteSource';

const MAX_INSTRUCTIONS = 1_000_000;
/** Enough for any number a checkpoint holds; larger ones only cost time. */
const MAX_LONG_BYTES = 64;
const MAX_LINE = 4096;

export class PyTuple {
  readonly items: readonly PickleValue[];
  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** A list, or a set, whose order is the file's. */
export class PyList {
  readonly items: PickleValue[] = [];
}

export class PyDict {
  readonly entries = new Map<PickleValue, PickleValue>();
}

/** A named class or function: a name and nothing more. */
export class PyGlobal {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Whatever the host makes of a call or of a persistent id. */
export abstract class PyObject {
  abstract readonly kind: string;
}

export type PickleValue =
  | null | boolean | number | bigint | string | Uint8Array | PyTuple | PyList | PyDict | PyGlobal | PyObject;

/** Decides what a pickle may name. Each method throws a WeightsError for what it refuses. */
export interface PickleHost {
  global(module: string, name: string): PyGlobal;
  call(callee: PyGlobal, args: PyTuple): PickleValue;
  /** Sets an object's state; only harmless states are taken. */
  build(object: PickleValue, state: PickleValue): void;
  persistent(id: PickleValue): PickleValue;
}

/** Thrown when the bytes end before the pickle does, so that a caller that gave a part can give more. */
export class PickleEnd extends WeightsError {}

/** Runs one pickle that starts at `offset`; `end` is the byte after it. */
export function unpickle(bytes: Uint8Array, offset: number, host: PickleHost, file: string): { value: PickleValue; end: number } {
  return new Machine(bytes, offset, host, file).run();
}

class Machine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #host: PickleHost;
  readonly #file: string;
  readonly #stack: PickleValue[] = [];
  /** Stack heights at which marks were set. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();
  readonly #decoder = new TextDecoder();
  #at: number;

  constructor(bytes: Uint8Array, offset: number, host: PickleHost, file: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#host = host;
    this.#file = file;
    this.#at = offset;
  }

  run(): { value: PickleValue; end: number } {
    for (let count = 0; count < MAX_INSTRUCTIONS; count++) {
      const code = this.#byte();
      if (code === 0x2e) return { value: this.#pop(), end: this.#at };
      this.#step(code);
    }
    throw this.#damaged(`has more than ${MAX_INSTRUCTIONS} instructions`);
  }

  #step(code: number): void {
    switch (String.fromCharCode(code)) {
      case '(': this.#marks.push(this.#stack.length); return;
      case '0': this.#pop(); return;
      case '1': this.#popMark(); return;
      case '2': this.#push(this.#top()); return;
      case 'N': this.#push(null); return;
      case '\x88': this.#push(true); return;
      case '\x89': this.#push(false); return;
      case 'I': this.#push(this.#textInteger()); return;
      case 'L': this.#push(this.#textInteger()); return;
      case 'F': this.#push(Number(this.#line())); return;
      case 'J': this.#push(this.#view.getInt32(this.#skip(4), true)); return;
      case 'K': this.#push(this.#byte()); return;
      case 'M': this.#push(this.#view.getUint16(this.#skip(2), true)); return;
      case 'G': this.#push(this.#view.getFloat64(this.#skip(8), false)); return;
      case '\x8a': this.#push(this.#long(this.#byte())); return;
      case '\x8b': this.#push(this.#long(this.#uint32())); return;
      case 'S': this.#push(this.#line().replace(/^(['"])(.*)\1$/, '$2')); return;
      case 'V': this.#push(this.#line()); return;
      case 'U': case '\x8c': this.#push(this.#text(this.#byte())); return;
      case 'T': case 'X': this.#push(this.#text(this.#uint32())); return;
      case '\x8d': this.#push(this.#text(this.#uint64())); return;
      case 'C': this.#push(this.#blob(this.#byte())); return;
      case 'B': this.#push(this.#blob(this.#uint32())); return;
      case '\x8e': case '\x96': this.#push(this.#blob(this.#uint64())); return;
      case ')': this.#push(new PyTuple([])); return;
      case 't': this.#push(new PyTuple(this.#popMark())); return;
      case '\x85': case '\x86': case '\x87': this.#push(new PyTuple(this.#popMany(code - 0x84))); return;
      case ']': case '\x8f': this.#push(new PyList()); return;
      case 'l': case '\x91': this.#push(this.#extend(new PyList(), this.#popMark())); return;
      case 'a': this.#extend(this.#list(1), [this.#pop()]); return;
      case 'e': case '\x90': { const items = this.#popMark(); this.#extend(this.#list(0), items); return; }
      case '}': this.#push(new PyDict()); return;
      case 'd': this.#push(this.#fill(new PyDict(), this.#popMark())); return;
      case 's': { const pair = this.#popMany(2); this.#fill(this.#dict(), pair); return; }
      case 'u': { const items = this.#popMark(); this.#fill(this.#dict(), items); return; }
      case 'p': this.#memo.set(Number(this.#line()), this.#top()); return;
      case 'q': this.#memo.set(this.#byte(), this.#top()); return;
      case 'r': this.#memo.set(this.#uint32(), this.#top()); return;
      case '\x94': this.#memo.set(this.#memo.size, this.#top()); return;
      case 'g': this.#push(this.#recall(Number(this.#line()))); return;
      case 'h': this.#push(this.#recall(this.#byte())); return;
      case 'j': this.#push(this.#recall(this.#uint32())); return;
      case 'c': { const module = this.#line(); this.#push(this.#host.global(module, this.#line())); return; }
      case '\x93': { const [module, name] = this.#popMany(2); this.#pushGlobal(module, name); return; }
      case 'R': case '\x81': { const [callee, args] = this.#popMany(2); this.#call(callee, args); return; }
      case 'b': { const state = this.#pop(); this.#host.build(this.#top(), state); return; }
      case 'Q': this.#push(this.#host.persistent(this.#pop())); return;
      case '\x80': this.#protocol(this.#byte()); return;
      case '\x95': this.#skip(8); return;
      default: throw this.#damaged(`has an instruction Graft does not run (0x${code.toString(16)})`);
    }
  }

  #damaged(problem: string): WeightsError {
    return new WeightsError(`${this.#file}: its pickle ${problem}. Save it again with torch.save(model.state_dict(), path).`);
  }

  /** Moves on by `count` bytes and returns where they start. */
  #skip(count: number): number {
    const start = this.#at;
    if (start + count > this.#bytes.byteLength) {
      throw new PickleEnd(`${this.#file}: its pickle ends before it is complete: the file is truncated or damaged. Download or copy it again.`);
    }
    this.#at += count;
    return start;
  }

  #byte(): number {
    return this.#bytes[this.#skip(1)];
  }

  #uint32(): number {
    return this.#view.getUint32(this.#skip(4), true);
  }

  #uint64(): number {
    const low = this.#uint32();
    return low + this.#uint32() * 2 ** 32;
  }

  #blob(length: number): Uint8Array {
    const start = this.#skip(length);
    return this.#bytes.subarray(start, start + length);
  }

  #text(length: number): string {
    return this.#decoder.decode(this.#blob(length));
  }

  #line(): string {
    const start = this.#at;
    while (this.#byte() !== 0x0a) {
      if (this.#at - start > MAX_LINE) throw this.#damaged(`has a line of more than ${MAX_LINE} bytes`);
    }
    return this.#decoder.decode(this.#bytes.subarray(start, this.#at - 1));
  }

  /** `12`, `12L`, and the old spellings of booleans, `00` and `01`. */
  #textInteger(): PickleValue {
    const line = this.#line();
    if (line === '00' || line === '01') return line === '01';
    const digits = line.replace(/L$/, '');
    if (!/^-?\d{1,150}$/.test(digits)) throw this.#damaged(`has ${quote(line)} where a number belongs`);
    return narrow(BigInt(digits));
  }

  /** Two's complement, least significant byte first. */
  #long(length: number): PickleValue {
    if (length > MAX_LONG_BYTES) throw this.#damaged(`has a number of ${length} bytes (limit ${MAX_LONG_BYTES})`);
    let value = 0n;
    const bytes = this.#blob(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    return narrow(BigInt.asIntN(8 * length, value));
  }

  #protocol(version: number): void {
    if (version > 5) throw this.#damaged(`is of protocol ${version}, newer than 5`);
  }

  #push(value: PickleValue): void {
    this.#stack.push(value);
  }

  #floor(): number {
    return this.#marks.at(-1) ?? 0;
  }

  #pop(): PickleValue {
    if (this.#stack.length <= this.#floor()) throw this.#damaged('takes from an empty stack: it is damaged');
    return this.#stack.pop() as PickleValue;
  }

  #popMany(count: number): PickleValue[] {
    if (this.#stack.length - count < this.#floor()) throw this.#damaged('takes from an empty stack: it is damaged');
    return this.#stack.splice(this.#stack.length - count);
  }

  #popMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.#damaged('looks for a mark that is not there: it is damaged');
    return this.#stack.splice(mark);
  }

  /** The value `depth` below the top, without taking it. */
  #top(depth = 0): PickleValue {
    const index = this.#stack.length - 1 - depth;
    if (index < this.#floor()) throw this.#damaged('takes from an empty stack: it is damaged');
    return this.#stack[index];
  }

  #list(depth: number): PyList {
    const list = this.#top(depth);
    if (!(list instanceof PyList)) throw this.#damaged('appends to what is not a list: it is damaged');
    return list;
  }

  #dict(): PyDict {
    const dict = this.#top();
    if (!(dict instanceof PyDict)) throw this.#damaged('sets items of what is not a dict: it is damaged');
    return dict;
  }

  #extend(list: PyList, items: readonly PickleValue[]): PyList {
    for (const item of items) list.items.push(item);
    return list;
  }

  #fill(dict: PyDict, items: readonly PickleValue[]): PyDict {
    if (items.length % 2 !== 0) throw this.#damaged('has a key without a value: it is damaged');
    for (let i = 0; i < items.length; i += 2) dict.entries.set(items[i], items[i + 1]);
    return dict;
  }

  #recall(index: number): PickleValue {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#damaged(`recalls memo ${index}, which was never stored: it is damaged`);
    return value;
  }

  #pushGlobal(module: PickleValue, name: PickleValue): void {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.#damaged('names a global by what is not text: it is damaged');
    this.#push(this.#host.global(module, name));
  }

  #call(callee: PickleValue, args: PickleValue): void {
    if (!(callee instanceof PyGlobal) || !(args instanceof PyTuple)) throw this.#damaged('calls what is not a function: it is damaged');
    this.#push(this.#host.call(callee, args));
  }
}

/** Integers that a number holds exactly become one. */
function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
