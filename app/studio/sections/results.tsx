/** What the network got right and wrong, where it looked, and how the pictures lie to each other. */
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { counted } from '../../../src/report/format';
import { Section } from '../../ui/section';
import { state } from '../session';
import { ClassTable } from './results/classTable';
import { GradCamDialog } from './results/gradCam';
import { judgedPictures, placesOf, worstMistakes, type EndedRun } from './results/judged';
import { MapPanel } from './results/mapPanel';
import { Matrix, type Cell } from './results/matrix';
import { PictureCards } from './results/pictures';
import { useStages } from './results/stages';
import './results.css';

/** Cards shown before one asks for more. */
const PAGE = 12;

export function ResultsSection() {
  const run = state.run.value;
  const judged = run.kind === 'ended' && run.validation !== null && run.validation.count > 0;
  return (
    <Section id="results" title="Results" lead={judged ? `Judged on ${counted(run.validation?.count ?? 0, 'picture')} that training never saw.` : undefined}>
      {judged ? <Judged key={run.result} run={run} /> : <p class="quiet">{emptyWords(run)}</p>}
      <MapPanel />
      <GradCamDialog />
    </Section>
  );
}

function emptyWords(run: typeof state.run.value): string {
  if (run.kind === 'running') return 'The results appear when the run has ended. Stopping it ends it, too.';
  if (run.kind === 'ended' && run.result.images.validation > 0) return 'The run was stopped before the held-out pictures were judged again, so they cannot be shown one by one. Train again, and let it finish an epoch.';
  if (run.kind === 'ended') return 'No pictures were held out, so nothing can be said about right and wrong. Set a held-out share and train again.';
  return 'After training, this shows which classes are confused, the worst mistakes, and where the network looked.';
}

function Judged({ run }: { readonly run: EndedRun }) {
  const chosen = useSignal<Cell | null>(null);
  const more = useSignal(PAGE);
  const classes = state.classes.value;
  const pictures = useMemo(() => judgedPictures(run, placesOf(classes)), [run, classes]);
  const mistakes = useMemo(() => worstMistakes(pictures), [pictures]);
  const confusion = run.validation?.confusion ?? [];
  const shown = useStages(4);
  const cell = chosen.value !== null && chosen.value.label < run.classes.length && chosen.value.predicted < run.classes.length ? chosen.value : null;
  return (
    <>
      <div class="results-part">
        <h3>Confusion</h3>
        {shown > 1 && <Matrix classes={run.classes} confusion={confusion} chosen={cell} onChoose={(next) => { chosen.value = next; }} />}
        {cell && <CellPictures key={`${cell.label},${cell.predicted}`} run={run} cell={cell} pictures={pictures.filter(({ label, predicted }) => label === run.classes[cell.label] && predicted === run.classes[cell.predicted])} onClose={() => { chosen.value = null; }} />}
      </div>
      <div class="results-part">
        <h3>Classes</h3>
        {shown > 2 && <ClassTable classes={run.classes} confusion={confusion} />}
      </div>
      <div class="results-part">
        <h3>Worst mistakes</h3>
        {shown > 3 && (mistakes.length === 0
          ? <p class="quiet">None: every held-out picture that is still here was named right.</p>
          : (
            <>
              <p class="quiet">The costliest first. Is the label wrong? Then move the picture to its class, or remove it. A press on a picture shows where the network looked.</p>
              <PictureCards pictures={mistakes.slice(0, more.value)} mend />
              {mistakes.length > more.value && <div><button type="button" class="button" onClick={() => { more.value += PAGE * 2; }}>Show more ({mistakes.length - more.value} left)</button></div>}
            </>
          ))}
      </div>
    </>
  );
}

interface CellPicturesProps {
  readonly run: EndedRun;
  readonly cell: Cell;
  readonly pictures: ReturnType<typeof judgedPictures>;
  readonly onClose: () => void;
}

function CellPictures({ run, cell, pictures, onClose }: CellPicturesProps) {
  const more = useSignal(PAGE);
  const [label, predicted] = [run.classes[cell.label], run.classes[cell.predicted]];
  const gone = run.validation ? run.validation.confusion[cell.label][cell.predicted] - pictures.length : 0;
  return (
    <div class="results-cell">
      <div class="row">
        <p role="status"><b>{counted(pictures.length, 'picture')}</b> {label === predicted ? <>of <b>{label}</b>, named right</> : <>of <b>{label}</b>, taken for <b>{predicted}</b></>}{gone > 0 && <span class="quiet"> ({gone} removed since)</span>}</p>
        <button type="button" class="button small" onClick={onClose}>Close</button>
      </div>
      <PictureCards pictures={pictures.slice(0, more.value)} mend />
      {pictures.length > more.value && <div><button type="button" class="button small" onClick={() => { more.value += PAGE * 2; }}>Show more ({pictures.length - more.value} left)</button></div>}
    </div>
  );
}
