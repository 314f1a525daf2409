/** All projects of this browser: open, delete, begin a new one, or bring one in from a file. */
import { useState } from 'preact/hooks';
import type { ProjectInfo } from '../../../shared/protocol';
import { confirmed, Dialog } from '../../../ui/dialog';
import { FileButton } from '../../../ui/drop';
import { count, formatBytes, formatDate } from '../../../ui/format';
import { PlusIcon, TrashIcon, UploadIcon } from '../../../ui/icons';
import { Note } from '../../../ui/note';
import { attempt } from '../../../ui/notices';
import { state, studio } from '../../session';
import { openProjectFile } from '../images/adding';

export function ProjectsDialog({ onClose }: { readonly onClose: () => void }) {
  const [busy, setBusy] = useState<string | null>(null);
  const { usedBytes, quotaBytes, problem } = state.storage.value;
  const projects = [...state.projects.value].sort((a, b) => b.changed - a.changed);
  const training = state.run.value.kind === 'running';

  /** Does it, and closes when the page shows another project then. */
  const go = async (doing: string, work: () => Promise<boolean | void>): Promise<void> => {
    if (busy !== null) return;
    setBusy(doing);
    const done = await attempt(async () => (await work()) ?? true);
    setBusy(null);
    if (done) onClose();
  };
  const remove = async (project: ProjectInfo): Promise<void> => {
    if (busy !== null) return;
    const yes = await confirmed({
      title: `Delete “${project.name}”?`, action: 'Delete the project', danger: true,
      text: `Its ${count(project.images, 'picture')}, its model and its results are deleted from this browser. This cannot be undone; save it as a file first if you may need it again.`,
    });
    if (!yes) return;
    setBusy(`Deleting ${project.name}…`);
    await attempt(studio.deleteProject(project.id));
    setBusy(null);
  };

  return (
    <Dialog
      title="Projects" onClose={onClose}
      actions={(
        <>
          <FileButton accept=".zip,.graft,application/zip" single disabled={busy !== null} onFiles={([file]) => void go('Reading the project file…', () => openProjectFile(file.blob))}><UploadIcon size={18} />Open a project file</FileButton>
          <button type="button" class="button primary" aria-disabled={busy !== null} onClick={() => void go('Starting a new project…', () => studio.newProject())}><PlusIcon size={18} />New project</button>
        </>
      )}
    >
      <p class="quiet" role="status">{busy ?? 'Projects are kept in this browser, on this machine, as you change them.'}</p>
      {training && <Note>Training goes on in this project. It stops when another one is opened, and can go on when this one is opened again.</Note>}
      {projects.length > 0 && (
        <ul class="projects">
          {projects.map((project) => {
            const current = project.id === state.project.value.id;
            return (
              <li key={project.id} class={current ? 'current' : ''}>
                <div class="projects-words">
                  <span class="projects-name">{project.name}</span>
                  {current && <span class="projects-mark">open here</span>}
                  {project.elsewhere && !current && <span class="projects-mark">open in another tab</span>}
                  <p class="quiet number">{count(project.images, 'picture')}, changed {formatDate(project.changed)}</p>
                </div>
                <div class="row">
                  {!current && <button type="button" class="button small" disabled={project.elsewhere} aria-disabled={busy !== null} aria-label={`Open ${project.name}`} onClick={() => void go(`Opening ${project.name}…`, () => studio.openProject(project.id))}>Open</button>}
                  <button type="button" class="button small icon-only plain" disabled={project.elsewhere && !current} aria-disabled={busy !== null} aria-label={`Delete ${project.name}`} title="Delete" onClick={() => void remove(project)}><TrashIcon size={18} /></button>
                </div>
              </li>
            );
          })}
        </ul>
      )}
      {projects.some(({ id, elsewhere }) => elsewhere && id !== state.project.value.id) && <p class="quiet">A project that is open in another tab can be opened or deleted there, or here once that tab is closed.</p>}
      {usedBytes !== null && <p class="quiet number">{formatBytes(usedBytes)} kept in all{quotaBytes !== null && `, of ${formatBytes(quotaBytes)} that the browser allows`}.</p>}
      {problem !== null && <Note kind="wrong"><p>{problem}</p></Note>}
    </Dialog>
  );
}
