/** Finds the state dict in what a checkpoint unpickled to: at the top, or under the names that training scripts use. */
import { WeightsError } from '../errors';
import { quote } from './byteSource';
import { PyDict } from './pickle';
import type { PickleValue } from './pickle';
import { TensorRef } from './torchPickle';

/** Keys under which checkpoints keep the model, the likeliest first. */
const WRAPPERS = ['state_dict', 'model_state_dict', 'model_state', 'model', 'net', 'network', 'module', 'weights', 'params', 'model_ema', 'state_dict_ema', 'ema'];
const MAX_DEPTH = 4;

export interface FoundStateDict {
  readonly tensors: Map<string, TensorRef>;
  readonly notes: string[];
}

/** @throws WeightsError when there is no state dict, or when several are as likely. */
export function findStateDict(root: PickleValue, file: string): FoundStateDict {
  if (!(root instanceof PyDict)) {
    const what = root instanceof TensorRef ? 'a single tensor' : 'no dict';
    throw new WeightsError(`${file}: holds ${what}, not a state dict. Save it again with torch.save(model.state_dict(), path).`);
  }
  const search = new Search(file);
  const found = search.locate(root, []);
  if (found === undefined) {
    throw new WeightsError(`${file}: no state dict in it; its keys are ${list(root.entries.keys())}. Save it again with torch.save(model.state_dict(), path).`);
  }
  const notes: string[] = [];
  if (found.path.length > 0) {
    const others = [...root.entries].filter(([key, value]) => key !== found.path[0] && search.leadsToTensors(key, value));
    notes.push(
      `Took the state dict under ${found.path.map(quote).join(' / ')}` +
        (others.length > 0 ? `; there is also ${list(others.map(([key]) => key))}.` : '.'),
    );
  }
  const tensors = new Map<string, TensorRef>();
  const skipped: PickleValue[] = [];
  for (const [key, value] of found.dict.entries) {
    if (typeof key === 'string' && value instanceof TensorRef) tensors.set(key, value);
    else skipped.push(key);
  }
  if (skipped.length > 0) notes.push(`Left out ${skipped.length} entries that are not tensors: ${list(skipped)}.`);
  return { tensors, notes };
}

interface Located {
  readonly dict: PyDict;
  readonly path: string[];
}

class Search {
  readonly #file: string;
  /** Each dict is looked through once, however often the pickle repeats it. */
  readonly #known = new Map<PyDict, boolean>();

  constructor(file: string) {
    this.#file = file;
  }

  locate(dict: PyDict, path: string[]): Located | undefined {
    if (path.length >= MAX_DEPTH) return undefined;
    for (const key of WRAPPERS) {
      const child = dict.entries.get(key);
      const found = child instanceof PyDict ? this.locate(child, [...path, key]) : undefined;
      if (found) return found;
    }
    if (this.#hasTensors(dict)) return { dict, path };
    const nested = [...dict.entries].filter(([key, value]) => this.leadsToTensors(key, value));
    if (nested.length > 1) {
      throw new WeightsError(
        `${this.#file}: several state dicts in it (${list(nested.map(([key]) => key))}). Save the one you want with torch.save(checkpoint[name], path).`,
      );
    }
    const [[key, child]] = nested.length === 1 ? nested : [[]];
    return typeof key === 'string' && child instanceof PyDict ? { dict: child, path: [...path, key] } : undefined;
  }

  /** Whether an entry looks like a state dict; an optimizer's does not count. */
  leadsToTensors(key: PickleValue, value: PickleValue): boolean {
    return typeof key === 'string' && !/optim|sched/i.test(key) && value instanceof PyDict && this.#hasTensors(value);
  }

  #hasTensors(dict: PyDict): boolean {
    let known = this.#known.get(dict);
    if (known === undefined) {
      known = false;
      for (const [key, value] of dict.entries) known ||= typeof key === 'string' && value instanceof TensorRef;
      this.#known.set(dict, known);
    }
    return known;
  }
}

/** The first few keys, quoted. */
function list(keys: Iterable<PickleValue>): string {
  const all = [...keys];
  const shown = all.slice(0, 5).map((key) => (typeof key === 'string' || typeof key === 'number' ? quote(String(key)) : 'one that is not text'));
  return all.length === 0 ? 'none' : shown.join(', ') + (all.length > shown.length ? ` and ${all.length - shown.length} more` : '');
}
