/** The page from top to bottom. */
import '../ui/base.css';
import './app.css';
import { useComputed, useSignalEffect } from '@preact/signals';
import { Questions } from '../ui/dialog';
import { DeviceChip, Header, type DeviceChipProps } from '../ui/header';
import { Note } from '../ui/note';
import { asSentence, Notices } from '../ui/notices';
import { WebGpuHelp } from '../ui/webgpuHelp';
import { BaseSection } from './sections/base';
import { ImagesSection } from './sections/images';
import { PageDrop } from './sections/images/pageDrop';
import { Welcome } from './sections/images/welcome';
import { NetworkSection } from './sections/network';
import { ProjectBar } from './sections/project';
import { ResultsSection } from './sections/results';
import { useStages } from './sections/results/stages';
import { SaveSection } from './sections/save';
import { TrainSection } from './sections/train';
import { TrySection } from './sections/try';
import { session, state } from './session';

export function App() {
  // What the first screen does not show is drawn in tasks of its own, so that none is long.
  const shown = useStages(3);
  return (
    <>
      <Title />
      <Header page="studio" device={<Device />} />
      <main id="main" class="page" tabIndex={-1}>
        <ProjectBar />
        <Alarms />
        <Welcome />
        <div class="columns">
          <div class="column-pair first">
            <div class="column"><ImagesSection /></div>
            <div class="column">{shown > 1 && <><BaseSection /><NetworkSection /></>}</div>
          </div>
          <div class="column-pair second">
            <div class="column"><TrainSection /></div>
            <div class="column">{shown > 2 && <><ResultsSection /><TrySection /><SaveSection /></>}</div>
          </div>
        </div>
      </main>
      <footer class="page-foot">
        <p>Pictures, models and everything computed stay on this machine.</p>
      </footer>
      <PageDrop />
      <Notices />
      <Questions />
    </>
  );
}

/** The tab's title: the project, and how far training is. */
function Title() {
  const title = useComputed(() => {
    const run = state.run.value;
    const percent = run.kind === 'running' && run.epochs > 0 ? `${Math.floor((100 * run.history.length) / run.epochs)} % · ` : '';
    return `${percent}${state.project.value.name} · Graft`;
  });
  useSignalEffect(() => { document.title = title.value; });
  return null;
}

function Device() {
  const device = state.device.value;
  const chip = ((): DeviceChipProps => {
    if (session.value.kind === 'broken') return { label: 'not running', kind: 'wrong' };
    switch (device.kind) {
      case 'opening': return { label: 'looking for a GPU', kind: 'waiting' };
      case 'missing': return { label: 'no WebGPU', kind: 'wrong', title: device.message };
      case 'lost': return { label: 'GPU lost', kind: 'warn', title: `${asSentence(device.message)} A new one is being taken.` };
      case 'ready': {
        const { vendor, architecture, description, software } = device.adapter;
        const name = description || [vendor, architecture].filter(Boolean).join(' ') || (software ? 'A software adapter' : 'GPU'); // Firefox names none
        return software
          ? { label: 'software', kind: 'warn', title: `${name}: the processor computes, which is slow. With a GPU and its driver this is many times faster.` }
          : { label: name, title: device.float16 ? 'Computes in float32, and in float16 where that is chosen' : 'Computes in float32' };
      }
    }
  })();
  return <DeviceChip {...chip} />;
}

/** What stands in the way of everything. */
function Alarms() {
  const now = session.value;
  const device = state.device.value;
  const { problem } = state.storage.value;
  return (
    <div class="alarms" role="alert">
      {now.kind === 'broken' && (
        <Note kind="wrong">
          <p><strong>{now.title}.</strong> {now.message}</p>
          <div><button type="button" class="button" onClick={() => location.reload()}>Load the page again</button></div>
        </Note>
      )}
      {problem !== null && (
        <Note kind="wrong">
          <p><strong>Not everything could be kept.</strong> {asSentence(problem)}</p>
          <p>Save what matters as files (under Save), then delete pictures or projects that are no longer needed, or free space on the disk. Until then, closing or reloading this tab loses the latest changes.</p>
        </Note>
      )}
      {device.kind === 'missing' && now.kind !== 'broken' && (
        <WebGpuHelp reason={device.message} works="Collecting and sorting pictures, looking at a project and the results it was trained to, and saving or opening projects. Loading a base, training and trying need WebGPU." />
      )}
    </div>
  );
}
