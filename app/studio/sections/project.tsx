/** The project: its name, what is kept, and the way to the others. */
import { useState } from 'preact/hooks';
import { InlineName } from '../../ui/inlineName';
import { formatBytes } from '../../ui/format';
import { StackIcon } from '../../ui/icons';
import { attempt } from '../../ui/notices';
import { session, state, studio } from '../session';
import { ProjectsDialog } from './project/projectsDialog';
import './project.css';

export function ProjectBar() {
  const [open, setOpen] = useState(false);
  return (
    <div class="project-bar">
      <h1 class="project-name">
        <InlineName name={state.project.value.name} label="Name of the project" onRename={(name) => attempt(studio.renameProject(name))} />
      </h1>
      <div class="row">
        <Kept />
        <button type="button" class="button" disabled={session.value.kind !== 'open'} onClick={() => setOpen(true)}><StackIcon size={18} />Projects</button>
      </div>
      {open && <ProjectsDialog onClose={() => setOpen(false)} />}
    </div>
  );
}

const WORTH_SAYING = 100_000; // bytes

function Kept() {
  const { usedBytes, quotaBytes, problem } = state.storage.value;
  if (session.value.kind === 'opening') return <span class="quiet" role="status">Opening the project…</span>;
  if (usedBytes === null || usedBytes < WORTH_SAYING || problem !== null) return null;
  return <span class="project-kept quiet number" title={quotaBytes === null ? undefined : `The browser allows up to ${formatBytes(quotaBytes)}`}>{formatBytes(usedBytes)} kept in this browser</span>;
}
