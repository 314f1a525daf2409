/** The map of the pictures, drawn when asked for. */
import { useSignal } from '@preact/signals';
import { Progress } from '../../../ui/progress';
import { asSentence } from '../../../ui/notices';
import { Note } from '../../../ui/note';
import { count, counted } from '../../../../src/report/format';
import type { EmbeddingMap, ImageId } from '../../../shared/protocol';
import { state, studio } from '../../session';
import { PictureMap } from './map';
import { MapInWords } from './mapWords';

/** Fewer say nothing about neighbourhoods. */
const LEAST = 3;

type Drawn =
  | { readonly kind: 'none' }
  | { readonly kind: 'working' }
  | { readonly kind: 'ready'; readonly map: EmbeddingMap; readonly images: ReadonlySet<ImageId> }
  | { readonly kind: 'failed'; readonly message: string };

/** What is being done, and how far it is. */
function Working({ images }: { readonly images: number }) {
  const mapping = state.mapping.value;
  if (mapping?.doing === 'places') return <Progress label="Finding each picture a place" value={mapping.done} max={mapping.total} />;
  // Features that are known already are not computed, and then nothing is told of them.
  return <Progress label={`Computing the features of ${counted(images, 'picture')}`} value={mapping?.done ?? 0} max={mapping?.total ?? null} text={mapping ? `${count(mapping.done)} of ${count(mapping.total)}` : undefined} />;
}

export function MapPanel() {
  const drawn = useSignal<Drawn>({ kind: 'none' });
  const classes = state.classes.value;
  const images = classes.reduce((sum, one) => sum + one.images.length, 0);
  const base = state.base.value.kind === 'ready';
  const now = drawn.value;
  const working = now.kind === 'working';
  const blocked = !base || images < LEAST;
  const draw = async (): Promise<void> => {
    if (blocked || working) return;
    drawn.value = { kind: 'working' };
    try {
      const map = await studio.embeddingMap();
      drawn.value = { kind: 'ready', map, images: new Set(map.points.map(({ id }) => id)) };
    } catch (error) {
      drawn.value = { kind: 'failed', message: asSentence(error) };
    }
  };
  const changed = now.kind === 'ready' && (images !== now.images.size || classes.some((one) => one.images.some(({ id }) => !now.images.has(id))));
  return (
    <div class="results-part">
      <h3>Map of the pictures</h3>
      <p class="quiet">Pictures that the network finds alike lie close together. Classes that lie apart are easy for it; a picture among another class may have a wrong label, or be a hard one.</p>
      {working && <Working images={images} />}
      {now.kind === 'failed' && <Note kind="wrong" live>{now.message}</Note>}
      {now.kind === 'ready' && (
        <>
          <PictureMap map={now.map} />
          <MapInWords map={now.map} />
        </>
      )}
      <div class="row">
        <button type="button" class="button" aria-disabled={blocked || working} aria-describedby="map-why" onClick={() => void draw()}>{working ? 'Drawing…' : now.kind === 'ready' ? 'Draw it again' : 'Draw the map'}</button>
        <span class="quiet results-aside" id="map-why">
          {!base ? 'It needs a base.' : images < LEAST ? `It needs at least ${LEAST} pictures.` : changed ? 'The pictures have changed since.' : now.kind === 'ready' ? 'After training more than the head, the places change.' : ''}
        </span>
      </div>
      <p class="hidden-text" role="status">{working ? 'The map is being drawn.' : now.kind === 'ready' ? 'The map is drawn.' : ''}</p>
    </div>
  );
}
