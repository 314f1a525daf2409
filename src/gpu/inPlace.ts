/**
 * Residuals added where they lie: a kernel that adds `residual` to what it stores in `out`, element by element, writes
 * over the residual when nothing reads that afterwards. That saves a captured network its largest buffer.
 *
 * The contract of the names: a kernel with both bindings reads `residual` only at the elements it stores, in the
 * invocation that stores them, before it does, and each element is stored once. WebGPU forbids one buffer to be bound
 * for reading and writing, so the kernel is rewritten to read from `out` (see `Kernel.inPlace`).
 */
import type { Storage } from './buffers';
import type { Lifetime } from './plan';
import type { TracedCommand, TracedDispatch } from './trace';

export interface Reused {
  readonly commands: readonly TracedCommand[];
  /** Lifetimes that are left; those of a residual and of the output in its place are one. */
  readonly lifetimes: ReadonlyMap<Storage, Lifetime>;
  /** Storages that lie where another one does. */
  readonly standIn: ReadonlyMap<Storage, Storage>;
}

/** Rewrites what can be done in place. `lifetimes`: of the temporaries, in which memory may be shared at all. */
export function reuseResiduals(commands: readonly TracedCommand[], lifetimes: ReadonlyMap<Storage, Lifetime>): Reused {
  const result = [...commands];
  const left = new Map(lifetimes);
  const standIn = new Map<Storage, Storage>();
  commands.forEach((command, i) => {
    const pair = command.kind === 'dispatch' ? pairOf(command) : undefined;
    if (pair === undefined) return;
    const [residual, out] = pair;
    const [before, after] = [lifetimes.get(residual), lifetimes.get(out)];
    if (!before || !after || before.bytes !== after.bytes || after.first !== i || before.last < i) return;
    // From here to the residual's last use, both are touched by such dispatches only: parts of one output.
    const parts: number[] = [];
    for (let k = i; k <= before.last; k++) {
      if (!storagesOf(commands[k]).some((storage) => storage === residual || storage === out)) continue;
      const other = commands[k].kind === 'dispatch' ? pairOf(commands[k] as TracedDispatch) : undefined;
      if (other?.[0] !== residual || other[1] !== out) return;
      parts.push(k);
    }
    for (const k of parts) result[k] = inPlace(commands[k] as TracedDispatch);
    const place = standIn.get(residual) ?? residual;
    standIn.set(out, place);
    left.delete(out);
    const joined = left.get(place) as Lifetime;
    left.set(place, { ...joined, last: after.last, released: Math.max(joined.released, after.released) });
  });
  return { commands: result, lifetimes: left, standIn };
}

/** The residual and the output of a dispatch that could be done in place, each bound once. */
function pairOf({ kernel, storages }: TracedDispatch): readonly [Storage, Storage] | undefined {
  if (kernel.inPlace('residual', 'out') === undefined) return undefined;
  const names = storageNames(kernel);
  const [residual, out] = ['residual', 'out'].map((name) => storages[names.indexOf(name)]);
  const once = (wanted: Storage): boolean => storages.filter((storage) => storage === wanted).length === 1;
  return once(residual) && once(out) ? [residual, out] : undefined;
}

function inPlace(command: TracedDispatch): TracedDispatch {
  const kernel = command.kernel.inPlace('residual', 'out') as TracedDispatch['kernel'];
  const names = storageNames(command.kernel);
  return { ...command, kernel, storages: command.storages.filter((_, i) => names[i] !== 'residual') };
}

function storageNames({ reflection }: TracedDispatch['kernel']): string[] {
  return reflection.bindings.flatMap(({ name, access }) => (access === 'uniform' ? [] : [name]));
}

function storagesOf(command: TracedCommand): readonly Storage[] {
  return command.kind === 'copy' ? [command.from, command.to] : command.storages;
}
