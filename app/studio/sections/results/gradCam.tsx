/** Where the network looked: the picture as it saw it, with a map of what spoke for a class laid over. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { percent } from '../../../../src/report/format';
import { Dialog } from '../../../ui/dialog';
import { Field } from '../../../ui/field';
import { asSentence } from '../../../ui/notices';
import { Note } from '../../../ui/note';
import type { CamResult } from '../../../shared/protocol';
import { state, studio } from '../../session';
import { move } from '../images/selection';
import { heatGradient, heatPicture, heatPlace } from './colourMap';
import { placesOf } from './judged';
import { looking, type LookedAt } from './looking';

/** Where the dialog appears. One on a page. */
export function GradCamDialog() {
  const looked = looking.value;
  return looked && <LookDialog key={typeof looked.picture === 'string' ? looked.picture : looked.name} looked={looked} />;
}

function LookDialog({ looked }: { readonly looked: LookedAt }) {
  const { picture, name, predicted } = looked;
  const wanted = useSignal<string | null>(null);
  const cam = useSignal<CamResult | null>(null);
  const problem = useSignal<string | null>(null);
  const opacity = useSignal(70);
  const run = state.run.value;
  const id = typeof picture === 'string' ? picture : null;
  const place = id === null ? undefined : placesOf(state.classes.value).get(id);

  useEffect(() => {
    let over = false;
    problem.value = null;
    studio.gradCam(picture, wanted.value ?? undefined).then((result) => {
      if (over) return result.picture.close();
      cam.value?.picture.close();
      cam.value = result;
      return undefined;
    }, (error: unknown) => { if (!over) problem.value = asSentence(error); });
    return () => { over = true; };
  }, [picture, wanted.value]);
  useEffect(() => () => cam.value?.picture.close(), []);

  const result = cam.value;
  const names = run.kind === 'ended' ? run.classes : state.classes.value.map((one) => one.name);
  const where = result && heatPlace(result.heat, result.size);
  return (
    <Dialog title="Where the network looked" wide onClose={() => { looking.value = null; }}>
      <div class="look">
        <div class="look-stage">
          {result ? <Stage cam={result} opacity={opacity.value} label={`${name}, as the network saw it. ${where ? `What spoke for ${result.name} lies mostly ${where}.` : `Nothing in it spoke for ${result.name}.`}`} /> : !problem.value && <p class="quiet look-wait" role="status">Asking the network…</p>}
        </div>
        <div class="look-words">
          {problem.value && <Note kind="wrong" live>{problem.value}</Note>}
          <p class="judged-name" title={name}><b>{name.slice(name.lastIndexOf('/') + 1)}</b></p>
          {result && <p role="status">The network gives <b>{result.name}</b> <b class="number">{percent(result.probability)}</b>. {where ? `What spoke for it lies mostly ${where}.` : 'Nothing in the picture spoke for it.'}</p>}
          {predicted !== undefined && place && place.className !== predicted && <p class="quiet">In the project it is {place.className}; it was taken for {predicted}.</p>}
          {result && (
            <>
              <Field label="What spoke for">
                {(control) => (
                  <select {...control} class="input" value={wanted.value ?? result.name} onChange={(event) => { wanted.value = event.currentTarget.value; }}>
                    {(names.includes(result.name) ? names : [result.name, ...names]).map((one) => <option key={one} value={one}>{one}</option>)}
                  </select>
                )}
              </Field>
              <Field label={`Strength of the map: ${opacity.value} %`}>
                {(control) => <input {...control} type="range" class="look-slider" min={0} max={100} value={opacity.value} onInput={(event) => { opacity.value = event.currentTarget.valueAsNumber; }} />}
              </Field>
              <div class="look-legend" aria-hidden="true"><span>little</span><span class="look-ramp" style={{ background: heatGradient() }} /><span>much</span></div>
            </>
          )}
          {id !== null && place && (
            <Field label="Its class in the project" hint="Changing it moves the picture; train again to learn from that.">
              {(control) => (
                <select {...control} class="input" value={place.classId} onChange={(event) => void move([id], Number(event.currentTarget.value))}>
                  {state.classes.value.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
                </select>
              )}
            </Field>
          )}
          <details class="fold">
            <summary>What this shows, and what not</summary>
            <p class="quiet">Bright are the places whose features raised the score of the chosen class most (Grad-CAM: each channel of the last block, weighted by how much the score depends on it). It tells where, not why. It is coarse, a grid of a few cells that is stretched over the picture; it shows only what spoke for the class, not what spoke against it; and each map is scaled to its own largest value, so two maps cannot be compared in strength. Bright spots beside the thing itself can mean that the network leans on the background.</p>
          </details>
        </div>
      </div>
    </Dialog>
  );
}

function Stage({ cam, opacity, label }: { readonly cam: CamResult; readonly opacity: number; readonly label: string }) {
  const below = useRef<HTMLCanvasElement>(null);
  const above = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = below.current as HTMLCanvasElement;
    canvas.width = cam.picture.width;
    canvas.height = cam.picture.height;
    canvas.getContext('2d')?.drawImage(cam.picture, 0, 0);
    const heat = above.current as HTMLCanvasElement;
    heat.width = heat.height = cam.size;
    heat.getContext('2d')?.putImageData(heatPicture(cam.heat, cam.size), 0, 0);
  }, [cam]);
  return (
    <div class="look-picture" role="img" aria-label={label}>
      <canvas ref={below} class={cam.picture.width <= 128 ? 'look-pixels' : ''} />
      <canvas ref={above} style={{ opacity: opacity / 100 }} />
    </div>
  );
}
