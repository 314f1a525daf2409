/** The validate page: fixtures of PyTorch's results against what this machine's GPU computes. */
import '../ui/base.css';
import './validate.css';
import { render } from 'preact';
import { findAdapter } from '../bench/adapter';
import { DropZone } from '../ui/drop';
import { DownloadIcon, PlayIcon, StopIcon } from '../ui/icons';
import { DeviceChip, Header } from '../ui/header';
import { Note } from '../ui/note';
import { Notices } from '../ui/notices';
import { Progress } from '../ui/progress';
import { Section } from '../ui/section';
import { WebGpuHelp } from '../ui/webgpuHelp';
import { adapter, announcement, counts, missing, notes, progress, saveJson, stop, validate, validateOwn, verdicts } from './state';
import { VerdictList } from './verdictList';

// A browser without WebGPU is told before anybody drops a file.
void findAdapter().then((found) => { if ('missing' in found && adapter.value === null) missing.value = found.missing; });

function App() {
  const busy = progress.value !== null;
  const blocked = missing.value !== null && adapter.value === null;
  return (
    <>
      <Header page="validate" device={<Device />} />
      <main id="main" class="page" tabIndex={-1}>
        <div class="page-intro">
          <h1>Validate</h1>
          <p>A fixture holds an operation&rsquo;s inputs and what PyTorch made of them. Graft computes the same here, on this machine&rsquo;s GPU, and compares within a bound. The same files give the same verdicts as <code>graft validate</code> in Node.</p>
        </div>
        {missing.value !== null && <WebGpuHelp reason={missing.value} works="Node runs the same fixtures without a browser: npx graft validate FILES." />}
        <Section id="run" title="Fixtures">
          <DropZone
            onFiles={(files) => void validate({ kind: 'files', files })} folder accept=".safetensors,.zip"
            title="Drop fixtures, a folder or a zip here" hint="Files in the format of docs/fixtures.md. They stay on this machine."
          >
            <button type="button" class="button primary" disabled={busy || blocked} onClick={() => void validateOwn()}><PlayIcon size={18} />Run the repository&rsquo;s own</button>
          </DropZone>
          {progress.value && (
            <div class="validate-progress">
              <Progress label={progress.value.name || 'Opening'} value={verdicts.value.length} max={progress.value.total} text={progress.value.total === null ? '' : `${verdicts.value.length} of ${progress.value.total}`} />
              <button type="button" class="button" onClick={stop}><StopIcon size={18} />Stop</button>
            </div>
          )}
          <p class="hidden-text" role="status">{announcement.value}</p>
        </Section>
        {verdicts.value.length > 0 && <Results />}
      </main>
      <Notices />
    </>
  );
}

function Results() {
  const { pass, fail, error, loosened } = counts.value;
  return (
    <Section
      id="verdicts" title="Verdicts"
      lead={progress.value === null ? announcement.value : undefined}
      actions={<button type="button" class="button small" onClick={saveJson}><DownloadIcon size={16} />Save as JSON</button>}
    >
      <dl class="validate-counts">
        <div class="pass"><dt>passed</dt><dd class="number">{pass}</dd></div>
        <div class={fail > 0 ? 'fail' : ''}><dt>failed</dt><dd class="number">{fail}</dd></div>
        <div class={error > 0 ? 'error' : ''}><dt>could not be run</dt><dd class="number">{error}</dd></div>
        {loosened > 0 && <div><dt>with a bound that the file loosens</dt><dd class="number">{loosened}</dd></div>}
      </dl>
      {notes.value.map((note) => <Note key={note} kind="warn"><p>{note}</p></Note>)}
      <VerdictList />
    </Section>
  );
}

function Device() {
  const found = adapter.value;
  if (found) {
    const name = found.description || [found.vendor, found.architecture].filter(Boolean).join(' ') || (found.software ? 'A software adapter' : 'GPU');
    return found.software ? <DeviceChip label="software" kind="warn" title={name} /> : <DeviceChip label={name} />;
  }
  return missing.value !== null ? <DeviceChip label="no WebGPU" kind="wrong" title={missing.value} /> : null;
}

const root = document.getElementById('app') as HTMLElement;
root.textContent = ''; // what it says until scripts run
render(<App />, root);
