/** Half the size for a page: rounded weights, and what that changes on held-out pictures. */
import { effect, signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { HalfCheck } from '../../../shared/protocol';
import { asSentence } from '../../../ui/notices';
import { state, studio } from '../../session';

/** Whether the page gets rounded weights. */
export const half = signal(false);
// A model of another run may fare otherwise.
effect(() => {
  void state.run.value.kind;
  void state.project.value.id;
  half.value = false;
});

export function HalfOption() {
  const told = useSignal('');
  useEffect(() => {
    if (!half.value) told.value = '';
  }, [half.value]);
  const change = async (on: boolean): Promise<void> => {
    half.value = on;
    if (!on) return;
    told.value = 'Trying it on held-out pictures …';
    const words = await studio.checkHalf().then(inWords, (error: unknown) => `It could not be tried. ${asSentence(error)}`);
    if (half.value) told.value = words;
  };
  return (
    <div class="save-half">
      <label><input type="checkbox" checked={half.value} onChange={({ currentTarget }) => void change(currentTarget.checked)} /> Half the size: weights rounded to float16</label>
      <p class="quiet" role="status">{told.value}</p>
    </div>
  );
}

function inWords(check: HalfCheck | null): string {
  if (check === null) return 'Without held-out pictures it is not known whether that changes answers; it rarely does.';
  const { images, rightBefore, rightAfter, changed } = check;
  const all = images === 1 ? 'the one held-out picture' : `${images} held-out pictures`;
  if (changed === 0) return `Tried on ${all}: every answer stays the same.`;
  return `Tried on ${all}: ${changed === 1 ? 'one answer changes' : `${changed} answers change`}, ${rightAfter} are right, before ${rightBefore}.`;
}
