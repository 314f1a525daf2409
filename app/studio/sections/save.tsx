/** What can be taken along: the model, a page that classifies, the project, the report. */
import { Section } from '../../ui/section';
import { formatBytes } from '../../ui/format';
import { state, studio } from '../session';
import { HalfOption, half } from './save/half';
import { fileStem } from './save/download';
import { SaveItem, saveFile } from './save/item';
import { openReport } from './save/report';
import './save.css';

export function SaveSection() {
  const stem = fileStem(state.project.value.name);
  const model = noModel();
  const modelless = model === null ? null : { id: WHY };
  const report = modelless ?? (state.run.value.kind === 'ended' ? null : { id: 'save-report-why', text: 'There is a report when a run has ended.' });
  const weights = weightBytes();
  const about = (bytes: number, how = 'about'): string | null => (weights === null || model !== null ? null : `${how} ${formatBytes(bytes)}`);
  return (
    <Section id="save" title="Save" lead="Files that you keep, use elsewhere or pass on. They are made here; nothing is uploaded.">
      {model !== null && <p class="save-blocked" id={WHY}>{model}</p>}
      <ul class="save-list" role="list">
        <SaveItem
          title="Model" blocked={modelless} size={about((weights ?? 0) + 60_000)}
          text="For PyTorch, Graft’s command line or your own code: a zip of safetensors weights, classes and preprocessing, the report, and how to load them."
          actions={[{ label: 'Save model', busy: 'Packing the model', run: () => saveFile(() => studio.exportModel(), `${stem} model.zip`) }]}
        />
        <SaveItem
          title="Stand-alone page" blocked={modelless} size={about(TEMPLATE + (weights ?? 0) * PACKED * (half.value ? 0.5 : 1), 'up to')}
          text="For people: one HTML file that classifies pictures and the camera’s view offline, in any browser with WebGPU."
          actions={[{ label: 'Save page', busy: 'Writing the page', run: () => saveFile(() => studio.exportPage({ half: half.value }), `${stem}.html`) }]}
        >
          {model === null && <HalfOption />}
        </SaveItem>
        <SaveItem
          title="Project" blocked={null} size={null}
          text="To continue here or on another machine: a zip of your pictures, settings, model and the state of training."
          actions={[{ label: 'Save project', busy: 'Packing the project', run: () => saveFile(() => studio.exportProject(), `${stem} project.zip`) }]}
        />
        <SaveItem
          title="Report" blocked={report} size={null}
          text="How well it does: curves, confusion, the worst mistakes and all settings on one page, to read or to print."
          actions={[
            { label: 'Open report', busy: 'Writing the report', run: () => openReport(`${stem} report.html`) },
            { label: 'Save report', busy: 'Writing the report', run: () => saveFile(() => studio.exportReport(), `${stem} report.html`) },
          ]}
        />
      </ul>
      <p class="quiet save-load">To load a saved model, drop its zip onto <a href="#base">Base</a>; to open a saved project, drop it anywhere on this page or use the project menu at the top.</p>
    </Section>
  );
}

/** Of the sentence that says why there is no model to save. */
const WHY = 'save-why';

/** Bytes of the page without weights, and text for a byte of weights, measured on noise; weights that once were float16 pack better. */
const TEMPLATE = 300_000;
const PACKED = 1.15;

/** Why there is no model to save, or null. */
function noModel(): string | null {
  if (state.run.value.kind === 'running') return 'Wait until training has ended, or stop it: the best epoch so far is kept. The project can be saved at any time.';
  if (!state.usable.value) return 'There is no trained model yet: train one first. Until then the project can be saved.';
  return null;
}

function weightBytes(): number | null {
  const base = state.base.value;
  return base.kind === 'ready' ? base.info.parameters * 4 : null;
}
