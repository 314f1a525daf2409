/** The sample's pictures that no training sees, to press. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { SamplePicture } from '../../../shared/protocol';
import { state, studio } from '../../session';

export interface SamplesProps {
  readonly onPick: (picture: { readonly blob: Blob; readonly name: string; readonly className: string }) => void;
}

type Shown = SamplePicture & { readonly url: string };

export function Samples({ onPick }: SamplesProps) {
  const shown = useSignal<readonly Shown[]>([]);
  const project = state.project.value.id;
  const known = state.classes.value.map(({ name }) => name).join('\n');
  useEffect(() => {
    let over = false;
    let urls: string[] = [];
    studio.samplePictures().then((pictures) => {
      if (over) return;
      const made = pictures.map((picture) => ({ ...picture, url: URL.createObjectURL(picture.blob) }));
      urls = made.map(({ url }) => url);
      shown.value = made;
    }, () => { shown.value = []; }); // an extra: where it cannot be had, nothing is missing
    return () => {
      over = true;
      shown.value = [];
      for (const url of urls) URL.revokeObjectURL(url);
    };
  }, [project, known]);
  if (shown.value.length === 0) return null;
  return (
    <div class="try-samples">
      <p class="quiet" id="try-samples">Or one of the sample's test pictures, which training never sees:</p>
      <ul role="list" aria-labelledby="try-samples">
        {shown.value.map(({ url, name, className, blob }) => (
          <li key={`${className}/${name}`}><button type="button" title={className} onClick={() => onPick({ blob, name, className })}><img src={url} alt={`${className}, ${name}`} loading="lazy" /></button></li>
        ))}
      </ul>
    </div>
  );
}
