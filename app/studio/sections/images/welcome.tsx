/** How an empty project greets. */
import { useState } from 'preact/hooks';
import { DropZone } from '../../../ui/drop';
import { CameraIcon } from '../../../ui/icons';
import { attempt } from '../../../ui/notices';
import { session, state, studio } from '../../session';
import { addSample, cameraFor, PICTURES, takeFiles } from './adding';

export function Welcome() {
  const [fetching, setFetching] = useState(false);
  if (state.classes.value.length > 0 || session.value.kind !== 'open') return null;
  const sample = async (): Promise<void> => {
    setFetching(true);
    await addSample();
    setFetching(false); // where it failed: the welcome stays
  };
  const camera = async (): Promise<void> => {
    const first = await attempt(studio.addClass('Class 1'));
    if (first === undefined) return;
    await attempt(studio.addClass('Class 2'));
    cameraFor.value = first;
  };
  return (
    <section class="welcome" aria-labelledby="welcome-title">
      <div class="welcome-words">
        <h2 id="welcome-title">Show Graft some pictures of each thing, and it learns to tell them apart.</h2>
        <p class="quiet">It starts from a network that can already see, and trains it here, in this tab. Nothing leaves your machine.</p>
      </div>
      <DropZone
        title="Drop a folder, a zip or pictures anywhere on this page"
        hint="A folder for each class: its name becomes the class's name. Ten pictures of each are a good start."
        accept={PICTURES} button="Choose pictures or a zip" folder onFiles={(files) => void takeFiles(files)}
      >
        <button type="button" class="button" onClick={() => void camera()}><CameraIcon size={18} />Start with the camera</button>
        <button type="button" class="button primary" disabled={fetching} onClick={() => void sample()}>{fetching ? 'Fetching the sample…' : 'Try the sample'}</button>
      </DropZone>
    </section>
  );
}
