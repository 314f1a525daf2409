/** Where a base can come from: the shipped one, weights published by name, or a file. */
import { useState } from 'preact/hooks';
import type { BaseChoice, ClassInfo } from '../../../shared/protocol';
import { Choice } from '../../../ui/choice';
import { DropZone } from '../../../ui/drop';
import { Field } from '../../../ui/field';
import { formatBytes, formatLarge } from '../../../ui/format';
import { DownloadIcon } from '../../../ui/icons';
import { attempt } from '../../../ui/notices';
import { state, studio } from '../../session';
import { asFile } from '../images/adding';
import { PUBLISHED, publishedTitle, sizeOf } from './published';

type Kind = BaseChoice['kind'];

export interface ChoicesProps {
  /** Why none can be loaded now; null where one can. */
  readonly blocked: string | null;
}

export function Choices({ blocked }: ChoicesProps) {
  const [picked, setKind] = useState<Kind | null>(null);
  const photos = arePhotos(state.classes.value);
  const kind = picked ?? (photos ? 'published' : 'shipped');
  const choose = (choice: BaseChoice): void => void attempt(studio.chooseBase(choice));
  return (
    <div class="base-choices">
      <Choice<Kind>
        legend="Where the base comes from" value={kind} onChange={setKind}
        options={[
          { value: 'shipped', title: 'Glyphs', text: 'Comes with Graft, ready at once. Has seen letters, digits and signs only: right for the sample and for drawn shapes.' },
          { value: 'published', title: <>ImageNet{photos && <span class="suggested">suggested</span>}</>, text: 'Knows a million photographs. Take this for photographs and the camera. Downloaded once.' },
          { value: 'files', title: 'Your own', text: 'A ResNet from a file: .safetensors or .pth, from Graft, PyTorch or timm.' },
        ]}
      />
      {kind === 'shipped' && (
        <div class="row">
          <button type="button" class="button primary" disabled={blocked !== null} onClick={() => choose({ kind: 'shipped' })}>Use the glyph base</button>
          <span class="quiet">5.8 MB, 64 x 64 pixels, 2.9 million parameters</span>
        </div>
      )}
      {kind === 'published' && <Published blocked={blocked} choose={choose} />}
      {kind === 'files' && (
        <DropZone
          compact accept=".safetensors,.pth,.pt,.bin,.json,.zip" button="Choose a file" title="Drop a weights file, or a model saved by Graft"
          hint="What it is, it tells itself. Drop its model.json with it, where there is one: that says how pictures are prepared."
          onFiles={(files) => { if (blocked === null) choose({ kind: 'files', files: files.map(asFile) }); }}
        />
      )}
      {blocked !== null && <p class="quiet" role="status">{blocked}</p>}
    </div>
  );
}

/** Whether most pictures are photographs, by their names: cameras write JPEG, drawings and screens are seldom kept so. */
function arePhotos(classes: readonly ClassInfo[]): boolean {
  const names = classes.flatMap(({ images }) => images.map(({ name }) => name));
  return names.length > 0 && names.filter((name) => /\.(jpe?g|heic|avif)$/i.test(name)).length > names.length * MOST;
}

const MOST = 2 / 3;

interface PublishedProps extends ChoicesProps {
  readonly choose: (choice: BaseChoice) => void;
}

function Published({ blocked, choose }: PublishedProps) {
  const [name, setName] = useState(PUBLISHED[0].name);
  const weights = PUBLISHED.find((one) => one.name === name) ?? PUBLISHED[0];
  const { host } = new URL(weights.url);
  return (
    <>
      <Field label="Network" hint="Larger ones are right more often, and take longer to download, to train and to run. ResNet-18 is a good start.">
        {(props) => (
          <select class="input" {...props} value={name} onChange={(event) => setName(event.currentTarget.value)}>
            {PUBLISHED.map((one) => <option key={one.name} value={one.name}>{publishedTitle(one)}: {formatBytes(sizeOf(one))}, {one.acc1.toFixed(1)} %</option>)}
          </select>
        )}
      </Field>
      <dl class="base-facts number">
        <div><dt>Right on ImageNet</dt><dd>{weights.acc1.toFixed(1)} % ({weights.acc5.toFixed(1)} % among five)</dd></div>
        <div><dt>Sees</dt><dd>{weights.preprocessing.cropSize} x {weights.preprocessing.cropSize} pixels</dd></div>
        <div><dt>Parameters</dt><dd>{formatLarge(weights.numParams)}</dd></div>
      </dl>
      <div class="row">
        <button type="button" class="button primary" disabled={blocked !== null} onClick={() => choose({ kind: 'published', name: weights.name })}><DownloadIcon size={18} />Download {formatBytes(sizeOf(weights))}</button>
        <span class="quiet">From {host}, checked, and kept in this browser. Trained by torchvision.</span>
      </div>
    </>
  );
}
