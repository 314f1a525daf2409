/** The base: the trained network that the run starts from. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { describePreprocessing, type BaseInfo, type BaseState } from '../../shared/protocol';
import { formatBytes, formatLarge } from '../../ui/format';
import { CheckIcon } from '../../ui/icons';
import { Note } from '../../ui/note';
import { asSentence, attempt } from '../../ui/notices';
import { Progress } from '../../ui/progress';
import { Section } from '../../ui/section';
import { session, state, studio } from '../session';
import { Choices } from './base/choices';
import { architectureTitle } from './base/published';
import './base.css';

const DOING = { downloading: 'Downloading', checking: 'Checking', reading: 'Reading' };

export function BaseSection() {
  const base = state.base.value;
  const [changing, setChanging] = useState(false);
  useEffect(() => { if (base.kind === 'loading') setChanging(false); }, [base.kind]);
  return (
    <Section
      id="base" title="Base" lead="A trained network to start from: what it has seen before is what it builds on."
      actions={base.kind === 'ready' && <button type="button" class="button small" aria-expanded={changing} onClick={() => setChanging(!changing)}>{changing ? 'Keep this one' : 'Change'}</button>}
    >
      <Announced base={base} />
      {base.kind === 'ready' && <Facts info={base.info} />}
      {base.kind === 'loading' && <Loading base={base} />}
      {base.kind === 'failed' && <Note kind="wrong" live><p><strong>{base.title} could not be loaded.</strong> {asSentence(base.message)}</p></Note>}
      {(base.kind === 'none' || base.kind === 'failed' || (base.kind === 'ready' && changing)) && <Choices blocked={whyNot()} />}
    </Section>
  );
}

/** For screen readers: that a base is being loaded, and that it is there. */
function Announced({ base }: { readonly base: BaseState }) {
  const loading = useRef(false);
  if (base.kind !== 'ready') loading.current = base.kind === 'loading';
  return <p class="hidden-text" role="status">{base.kind === 'loading' ? `Loading ${base.title}.` : base.kind === 'ready' && loading.current ? `${base.info.title} is loaded.` : ''}</p>;
}

/** Why no base can be loaded now. */
function whyNot(): string | null {
  if (session.value.kind === 'broken') return 'The worker is not running; load the page again.';
  if (state.device.value.kind === 'missing') return 'Loading a base needs WebGPU, which is missing here.';
  if (session.value.kind === 'opening' || state.device.value.kind === 'opening') return 'Looking for a GPU…';
  if (state.run.value.kind === 'running') return 'Training goes on with the present base. Stop it to change the base.';
  return null;
}

function Loading({ base: { title, doing, receivedBytes, totalBytes } }: { readonly base: Extract<BaseState, { kind: 'loading' }> }) {
  return (
    <div class="base-loading">
      <Progress
        label={`${DOING[doing]} ${title}`} value={receivedBytes} max={doing === 'downloading' ? totalBytes : null}
        text={doing !== 'downloading' ? '' : totalBytes === null ? formatBytes(receivedBytes) : `${formatBytes(receivedBytes)} of ${formatBytes(totalBytes)}`}
      />
      <button type="button" class="button small" onClick={() => void attempt(studio.cancelBase())}>Cancel</button>
    </div>
  );
}

function Facts({ info: { title, card, parameters, notes } }: { readonly info: BaseInfo }) {
  return (
    <>
      <p class="base-title"><CheckIcon /><strong>{title}</strong></p>
      <dl class="base-facts number">
        <div><dt>Architecture</dt><dd>{architectureTitle(card.architecture)}{card.width !== 64 && `, ${card.width} channels wide`}</dd></div>
        <div><dt>Parameters</dt><dd>{formatLarge(parameters)}</dd></div>
        <div><dt>Sees</dt><dd>{describePreprocessing(card.preprocessing)}</dd></div>
        {card.classes && <div><dt>Was trained on</dt><dd>{card.classes.length.toLocaleString()} classes, such as {card.classes.slice(0, 3).join(', ')}</dd></div>}
      </dl>
      {notes.length > 0 && <ul class="base-notes">{notes.map((note) => <li key={note}>{note}</li>)}</ul>}
    </>
  );
}
