/** A project as one zip file: everything that is kept of it, to open it again here or on another machine. */
import { DataError, WeightsError, blobSource, openWeights, parseModelCard } from '../../../src/index';
import { parseCheckpoint } from '../../../src/transfer/checkpoint';
import { ZipArchive } from '../../../src/weights/zip';
import { makeThumbnail, sha256 } from '../input/picture';
import type { Disk } from '../storage/disk';
import { imagesOf } from './classes';
import { folderOf, writeRecord, type Project } from './project';
import { parseRecord, type ProjectRecord } from './record';

/** Files of a run and its model, besides the record, the pictures and the base. */
const RUN_FILES = ['run.json', 'checkpoint.safetensors', 'result.json', 'model.safetensors', 'model.json'] as const;
const MAX_PICTURE = 256 * 2 ** 20;
const MAX_RECORD = 256 * 2 ** 20;

/** Stored, not packed: pictures and weights do not shrink. Read and given on piece by piece. */
export async function packProject(project: Project): Promise<Blob> {
  const { Zip, ZipPassThrough } = await import('fflate'); // seldom wanted
  const { record, pictures, disk, folder } = project;
  const parts: Blob[] = [];
  let failure: Error | undefined;
  const zip = new Zip((error, chunk) => {
    if (error) failure = error;
    else parts.push(new Blob([chunk as Uint8Array<ArrayBuffer>]));
  });
  const add = async (name: string, blob: Blob): Promise<void> => {
    const file = new ZipPassThrough(name);
    zip.add(file);
    file.push(new Uint8Array(await blob.arrayBuffer()), true);
    if (failure) throw failure;
  };
  await add('project.json', new Blob([JSON.stringify(record)]));
  for (const { id } of imagesOf(record.classes)) await add(`images/${id}`, await pictures.blob(id));
  const base = record.base?.kind === 'files' ? record.base.names.map((name) => `base/${name}`) : [];
  for (const name of [...base, ...RUN_FILES]) {
    const blob = await disk.read(`${folder}/${name}`);
    if (blob) await add(name, blob);
  }
  zip.end();
  if (failure) throw failure;
  return new Blob(parts, { type: 'application/zip' });
}

/**
 * Checks all of an exported project and keeps it under a new id.
 * @throws DataError with what is wrong, and nothing of it is kept.
 */
export async function unpackProject(file: Blob, disk: Disk, onProgress: (done: number, total: number) => void): Promise<ProjectRecord> {
  const archive = await openProjectArchive(file);
  const record = { ...parseRecord(await text(archive, 'project.json'), 'project.json'), id: crypto.randomUUID(), changed: Date.now() };
  const folder = folderOf(record.id);
  try {
    await unpackPictures(archive, record, disk, onProgress);
    for (const name of record.base?.kind === 'files' ? record.base.names : []) await disk.write(`${folder}/base/${name}`, await bytes(archive, `base/${name}`));
    await unpackRun(archive, folder, disk);
    await writeRecord(disk, record);
    return record;
  } catch (error) {
    await disk.remove(folder);
    if (error instanceof DOMException && error.name === 'QuotaExceededError') {
      throw new DataError(`The project needs ${Math.ceil(file.size / 2 ** 20)} MB, more than the browser still gives this site; delete another project, or free disk space, and import it again.`, { cause: error });
    }
    throw error;
  }
}

async function openProjectArchive(file: Blob): Promise<ZipArchive> {
  let archive: ZipArchive;
  try {
    archive = await ZipArchive.open(blobSource(file, 'the file'));
  } catch (error) {
    if (!(error instanceof WeightsError)) throw error;
    throw new DataError(`This is no exported project: ${error.message.replace(/ (Download or copy it again|Save the checkpoint again.*)\.?$/, '')}`, { cause: error });
  }
  if (!archive.entries.has('project.json')) {
    const pictures = [...archive.entries.keys()].some((name) => /\.(jpe?g|png|webp|gif)$/i.test(name));
    throw new DataError(`This archive is no exported project: it holds no project.json.${pictures ? ' To add its pictures, drop it onto the images instead.' : ''}`);
  }
  return archive;
}

async function unpackPictures(archive: ZipArchive, record: ProjectRecord, disk: Disk, onProgress: (done: number, total: number) => void): Promise<void> {
  const folder = folderOf(record.id);
  const images = imagesOf(record.classes);
  for (const [done, { id, name }] of images.entries()) {
    onProgress(done, images.length);
    const blob = new Blob([await bytes(archive, `images/${id}`, MAX_PICTURE)]);
    if ((await sha256(blob)) !== id) throw new DataError(`The archive is damaged: the picture '${name}' is not the one that was exported.`);
    const thumbnail = await makeThumbnail(blob).catch((error: Error) => {
      throw new DataError(`The archive's picture '${name}' cannot be used: ${error.message}`, { cause: error });
    });
    await disk.write(`${folder}/images/${id}`, blob);
    await disk.write(`${folder}/thumbs/${id}`, thumbnail);
  }
}

/** A model is taken only whole and with its card, a run only with what it says of itself. */
async function unpackRun(archive: ZipArchive, folder: string, disk: Disk): Promise<void> {
  const { entries } = archive;
  if (entries.has('model.safetensors')) {
    parseModelCard(await text(archive, 'model.json'), 'model.json');
    JSON.parse(await text(archive, 'result.json'));
    await (await openWeights(blobSource(new Blob([await bytes(archive, 'model.safetensors')]), 'model.safetensors'))).close();
  }
  if (entries.has('run.json')) JSON.parse(await text(archive, 'run.json'));
  if (entries.has('checkpoint.safetensors')) await parseCheckpoint(await bytes(archive, 'checkpoint.safetensors'));
  for (const name of RUN_FILES) if (entries.has(name)) await disk.write(`${folder}/${name}`, await bytes(archive, name));
}

async function bytes(archive: ZipArchive, name: string, most = Infinity): Promise<Uint8Array<ArrayBuffer>> {
  const entry = archive.entries.get(name);
  if (!entry) throw new DataError(`The archive is not whole: it lacks ${name}.`);
  if (entry.size > most) throw new DataError(`The archive's ${name} would unpack to ${Math.round(entry.size / 2 ** 20)} MB; that is no project of this program.`);
  return (await archive.read(entry)) as Uint8Array<ArrayBuffer>;
}

async function text(archive: ZipArchive, name: string): Promise<string> {
  return new TextDecoder().decode(await bytes(archive, name, MAX_RECORD));
}
