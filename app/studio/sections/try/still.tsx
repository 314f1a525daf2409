/** One picture and what it is taken for. Asked again whenever the network has changed. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { asSentence } from '../../../ui/notices';
import { Note } from '../../../ui/note';
import type { Classified } from '../../../shared/protocol';
import { state, studio } from '../../session';
import { lookAt } from '../results/looking';
import { Answers } from './answers';
import { milliseconds } from './live';

export interface TriedPicture {
  readonly blob: Blob;
  readonly name: string;
  readonly url: string;
  /** Its true class, where it is known. */
  readonly className?: string;
}

export function Still({ picture }: { readonly picture: TriedPicture }) {
  const answer = useSignal<Classified | null>(null);
  const problem = useSignal<string | null>(null);
  const run = state.run.value;
  const version = run.kind === 'running' ? run.history.length : run.kind;
  useEffect(() => {
    let over = false;
    studio.classify(picture.blob).then((result) => {
      if (over) return;
      answer.value = result;
      problem.value = null;
    }, (error: unknown) => {
      if (over) return;
      answer.value = null;
      problem.value = asSentence(error);
    });
    return () => { over = true; };
  }, [picture, version]);
  const result = answer.value;
  return (
    <div class="try-pair">
      <div class="try-left">
        <div class="try-picture"><img src={picture.url} alt={picture.name} /></div>
        {picture.className !== undefined && <p>In truth it is <b>{picture.className}</b>.</p>}
        <p class="quiet judged-name" title={picture.name}>{picture.name}</p>
      </div>
      <div class="try-right">
        {problem.value && <Note kind="wrong" live>{problem.value}</Note>}
        {result && <Answers shares={result.top} aside={`${milliseconds(result.milliseconds)} for this picture.`} />}
        {!result && !problem.value && <p class="quiet" role="status">Asking the network…</p>}
        {result && <div><button type="button" class="button" onClick={() => lookAt({ picture: picture.blob, name: picture.name })}>See where it looked</button></div>}
      </div>
    </div>
  );
}
