/** Files on their way into the project: what each is, which class it is for, and the report of what became of them. */
import { signal } from '@preact/signals';
import type { AddReport, IncomingFile } from '../../../shared/protocol';
import { count } from '../../../ui/format';
import { attempt, notify } from '../../../ui/notices';
import { state, studio } from '../../session';

/** What the last files came to, where that needs more than a word. */
export const lastReport = signal<AddReport | null>(null);

/** Pictures that came without a folder, until someone says which class they are. */
export const undecided = signal<readonly IncomingFile[] | null>(null);

/** The class whose camera is to be opened. */
export const cameraFor = signal<number | null>(null);

const WEIGHTS = /\.(safetensors|pth|pt|bin)$/i;
const ARCHIVE = /\.zip$/i;
const LISTING = 4_000_000; // bytes of an archive's end that surely hold the names of its files

/** For file dialogs that choose pictures. */
export const PICTURES = 'image/*,.zip,application/zip';

/** Files dropped somewhere on the page: weights become the base, projects are opened, pictures are added. */
export async function takeFiles(files: readonly IncomingFile[]): Promise<void> {
  if (files.length === 1 && await lists(files[0], 'project\\.json')) {
    await openProjectFile(files[0].blob);
    return;
  }
  if (files.length === 1 && await lists(files[0], 'model\\.safetensors')) {
    await attempt(studio.chooseBase({ kind: 'files', files: files.map(asFile) }));
    return;
  }
  if (files.some(({ path }) => WEIGHTS.test(path))) {
    await attempt(studio.chooseBase({ kind: 'files', files: files.filter(({ path }) => WEIGHTS.test(path) || /\.json$/i.test(path)).map(asFile) }));
    return;
  }
  const loose = files.filter(({ path }) => !path.includes('/') && !ARCHIVE.test(path));
  const sorted = files.filter((file) => !loose.includes(file));
  if (sorted.length > 0) await addFiles(sorted, null);
  if (loose.length > 0) undecided.value = loose;
}

/** Adds pictures, and says what became of them. Returns how many were added. */
export async function addFiles(files: readonly IncomingFile[], classId: number | null): Promise<number> {
  return tell(await attempt(studio.addFiles([...files], classId)));
}

/** The sample, and the base that suits it if there is none yet. */
export async function addSample(): Promise<void> {
  tell(await attempt(studio.addSample()));
  if (state.base.value.kind === 'none' && state.device.value.kind === 'ready') await attempt(studio.chooseBase({ kind: 'shipped' }));
}

function tell(report: AddReport | undefined): number {
  if (!report) return 0;
  const { added, duplicates, skipped } = report;
  const plain = duplicates.length === 0 && skipped.length === 0;
  lastReport.value = plain ? null : report;
  if (plain) notify({ kind: 'info', text: added === 0 ? 'There was no picture in that.' : `Added ${count(added, 'picture')}.` });
  return added;
}

/** Opens a saved project as a new one. False when it could not. */
export async function openProjectFile(file: Blob): Promise<boolean> {
  const done = await attempt(async () => {
    await studio.importProject(file);
    return true;
  });
  if (done) notify({ kind: 'info', text: `Opened “${state.project.value.name}” from a file.` });
  return done === true;
}

/** Whether an archive has such a file at its top, as a saved project or model has: the list of its files is plain text at its end. */
async function lists({ path, blob }: IncomingFile, name: string): Promise<boolean> {
  if (!ARCHIVE.test(path)) return false;
  // As latin-1, so that one byte is one character.
  const end = new TextDecoder('latin1').decode(await blob.slice(-LISTING).arrayBuffer().catch(() => new ArrayBuffer(0)));
  return new RegExp(`PK\\x01\\x02[^]{42}${name}`).test(end);
}

export function asFile({ path, blob }: IncomingFile): File {
  return blob instanceof File ? blob : new File([blob], path.slice(path.lastIndexOf('/') + 1));
}
