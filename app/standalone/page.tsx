/** The whole stand-alone page. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { DeviceError } from '../../src/errors';
import { counted, percent } from '../../src/report/format';
import { architectureTitle } from '../../src/report/report';
import { Answers } from './answers';
import { useCamera } from './camera';
import type { PageFacts } from './facts';
import { PageModel, type Answer } from './model';

type Opening = { readonly kind: 'opening'; readonly share: number } | { readonly kind: 'ready'; readonly adapter: string } | { readonly kind: 'failed'; readonly error: Error };

interface Judged {
  readonly name: string;
  readonly url: string;
  /** Null while the model looks; a text says why it could not. */
  readonly answers: readonly Answer[] | string | null;
}

/** Pictures kept on the page, the newest first. */
const KEPT = 24;

export function Page({ facts }: { readonly facts: PageFacts }) {
  const [opening, setOpening] = useState<Opening>({ kind: 'opening', share: 0 });
  const [model, setModel] = useState<PageModel | null>(null);
  const [pictures, setPictures] = useState<readonly Judged[]>([]);
  const [chosen, setChosen] = useState<string | null>(null);
  const [camera, setCamera] = useState(false);
  const [live, setLive] = useState<readonly Answer[] | null>(null);
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const video = useRef<HTMLVideoElement>(null);
  const problem = useCamera(camera, video, model, setLive);

  useEffect(() => {
    PageModel.open(facts, (share) => setOpening({ kind: 'opening', share })).then(async (opened) => {
      setModel(opened);
      setOpening({ kind: 'ready', adapter: await opened.adapter() });
    }).catch((error: Error) => setOpening({ kind: 'failed', error }));
  }, []);

  const add = async (files: readonly File[]): Promise<void> => {
    if (!model || files.length === 0) return;
    setCamera(false);
    for (const file of files.slice(0, KEPT)) {
      const one: Judged = { name: file.name, url: URL.createObjectURL(file), answers: null };
      setPictures((before) => {
        for (const { url } of before.slice(KEPT - 1)) URL.revokeObjectURL(url);
        return [one, ...before.slice(0, KEPT - 1)];
      });
      setChosen(one.url);
      const answers = await model.classify(file, file.name).catch((error: Error) => sentence(error.message));
      setPictures((before) => before.map((other) => (other.url === one.url ? { ...other, answers } : other)));
    }
  };

  useEffect(() => {
    const paste = (event: ClipboardEvent): void => void add([...(event.clipboardData?.files ?? [])]);
    const drag = (event: DragEvent): void => {
      event.preventDefault();
      setOver(event.type === 'dragover');
      if (event.type === 'drop') void add([...(event.dataTransfer?.files ?? [])]);
    };
    document.addEventListener('paste', paste);
    for (const type of ['dragover', 'dragleave', 'drop'] as const) document.addEventListener(type, drag);
    return () => {
      document.removeEventListener('paste', paste);
      for (const type of ['dragover', 'dragleave', 'drop'] as const) document.removeEventListener(type, drag);
    };
  }, [model]);

  const shown = pictures.find(({ url }) => url === chosen);
  const judged = camera ? live : shown?.answers;
  return (
    <main class={over ? 'page page-over' : 'page'}>
      <header>
        <h1>{facts.project}</h1>
        <p class="quiet">{tellsApart(facts.card.classes ?? [])}</p>
      </header>
      {opening.kind === 'failed' ? <Failure error={opening.error} /> : (
        <section class="page-card" aria-label="Picture and answer">
          <div class="page-picture">
            <video ref={video} muted playsInline hidden={!camera} aria-label="What the camera sees" />
            {!camera && (shown ? <img src={shown.url} alt={shown.name} /> : <p class="quiet">Drop pictures here, paste one, or choose some.</p>)}
          </div>
          <div class="page-side">
            <div class="row">
              <button type="button" class="button primary" disabled={!model} onClick={() => input.current?.click()}>Choose pictures</button>
              <button type="button" class="button" disabled={!model} aria-pressed={camera} onClick={() => { setLive(null); setCamera(!camera); }}>{camera ? 'Stop the camera' : 'Use the camera'}</button>
              <input ref={input} type="file" accept="image/*" multiple hidden aria-label="Pictures" onChange={({ currentTarget }) => { void add([...(currentTarget.files ?? [])]); currentTarget.value = ''; }} />
            </div>
            {opening.kind === 'opening' && <p role="status">{opening.share < 1 ? `Reading the model: ${Math.floor(opening.share * 100)} %` : 'Preparing the GPU.'}</p>}
            {camera && problem && <p class="page-problem" role="alert">{problem}</p>}
            {(camera || shown) && !problem && judged === null && <p class="quiet">Looking.</p>}
            {typeof judged === 'string' && <p class="page-problem" role="alert">{judged}</p>}
            {Array.isArray(judged) && <Answers answers={judged as readonly Answer[]} />}
            <p class="hidden-text" role="status">{Array.isArray(judged) ? spoken(judged as readonly Answer[], camera) : ''}</p>
          </div>
        </section>
      )}
      {pictures.length > 1 && (
        <ul class="page-strip" aria-label="Pictures so far">
          {pictures.map(({ name, url, answers }) => (
            <li key={url}><button type="button" aria-pressed={!camera && url === chosen} onClick={() => { setCamera(false); setChosen(url); }}>
              <img src={url} alt="" /><span>{Array.isArray(answers) ? answers[0].name : answers === null ? '…' : 'not read'}</span><span class="hidden-text">{name}</span>
            </button></li>
          ))}
        </ul>
      )}
      <Origin facts={facts} adapter={opening.kind === 'ready' ? opening.adapter : null} />
    </main>
  );
}

function Failure({ error }: { readonly error: Error }) {
  return (
    <section class="page-card page-failure" role="alert">
      <h2>{error instanceof DeviceError ? 'This page needs WebGPU' : 'The model cannot be used'}</h2>
      <p>{sentence(error.message)}</p>
      {error instanceof DeviceError && (
        <p>Chrome and Edge have it from version 113 on Windows, macOS and ChromeOS, from 121 on Android; Safari from version 26; Firefox from 141 on Windows and 145 on Macs with Apple chips. On Linux, Chrome may need <code>chrome://flags/#enable-unsafe-webgpu</code>. Opened over plain http from another machine, no browser gives a page WebGPU: open the file itself, or use https.</p>
      )}
    </section>
  );
}

function Origin({ facts: { card, training, created, version, half }, adapter }: { readonly facts: PageFacts; readonly adapter: string | null }) {
  const day = new Date(created).toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });
  return (
    <footer class="quiet">
      {training && <p>{training.heldOut ? `${percent(training.heldOut.accuracy)} of ${counted(training.heldOut.count, 'held-out picture')} named right. ` : 'Not judged on held-out pictures. '}Trained on {counted(training.trained, 'picture')}: {training.part} of a {architectureTitle(card)}{card.base === null ? '' : ` from ${card.base === 'base' ? 'Graft’s glyph base' : card.base}`}.</p>}
      <p>Saved on {day} by Graft {version}{half ? ', with weights rounded to float16' : ''}. The model always names one of its classes, also for pictures of something else.</p>
      <p>Everything happens on this machine{adapter === null ? '' : ` (${adapter})`}: the page holds the model, and its own policy forbids any request.</p>
    </footer>
  );
}

function tellsApart(classes: readonly string[]): string {
  const shown = classes.length > 12 ? `${classes.slice(0, 10).join(', ')} and ${classes.length - 10} more` : `${classes.slice(0, -1).join(', ')} and ${classes.at(-1) ?? ''}`;
  return `Tells apart ${shown}.`;
}

/** For screen readers; of a camera only the class, so that it is said when it changes. */
function spoken([first]: readonly Answer[], camera: boolean): string {
  return camera ? first.name : `${first.name}, ${percent(first.probability)}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}
