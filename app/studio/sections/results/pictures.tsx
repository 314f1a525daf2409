/** Judged pictures as small cards: what each was taken for, and ways to mend its label. */
import { percent } from '../../../../src/report/format';
import { TrashIcon } from '../../../ui/icons';
import { state } from '../../session';
import { Thumbnail } from '../../thumbnails';
import { move, remove } from '../images/selection';
import type { JudgedPicture } from './judged';
import { lookAt } from './looking';

export function PictureCards({ pictures, mend }: { readonly pictures: readonly JudgedPicture[]; readonly mend?: boolean }) {
  return (
    <ul class="judged" role="list">
      {pictures.map((picture) => <li key={picture.id}><PictureCard picture={picture} mend={mend === true} /></li>)}
    </ul>
  );
}

function PictureCard({ picture, mend }: { readonly picture: JudgedPicture; readonly mend: boolean }) {
  const { id, name, label, predicted, confidence, labelProbability, wrong, className } = picture;
  const other = state.classes.value.find((one) => one.name === predicted);
  const moved = className !== label;
  const short = name.slice(name.lastIndexOf('/') + 1);
  return (
    <article class="judged-card" aria-label={short}>
      <button type="button" class="judged-picture" onClick={() => lookAt({ picture: id, name, label: className, predicted })} aria-label={`${short}: see where the network looked`}>
        <Thumbnail id={id} alt="" />
      </button>
      <div class="judged-words">
        <p title={name} class="judged-name quiet">{short}</p>
        <p><b class={wrong ? 'judged-wrong' : ''}>{predicted}</b> <span class="number">{percent(confidence)}</span></p>
        {wrong && <p class="quiet">is {label} <span class="number">{percent(labelProbability)}</span></p>}
        {moved && <p class="judged-moved">Now in {className}. Train again to learn from it.</p>}
      </div>
      {mend && (
        <div class="judged-actions">
          {wrong && !moved && other && <button type="button" class="button small" onClick={() => void move([id], other.id)}>Move to {predicted}</button>}
          <button type="button" class="button small plain" onClick={() => void remove([id])} aria-label={`Remove ${short}`}><TrashIcon size={16} />Remove</button>
        </div>
      )}
    </article>
  );
}
