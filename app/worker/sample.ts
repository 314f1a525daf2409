/** The sample that comes with the site: pictures to train on, and others to try the outcome on. */
import type { SamplePicture, IncomingFile } from '../shared/protocol';
import { siteFile } from './files';
import { openArchive, type ArchivedFile } from './input/archive';
import { download } from '../../src/weights/download';

/** Pictures a class to try. */
const A_FEW = 3;

/** What to train on, as if its folder had been dropped. */
export async function samplePart(part: 'train'): Promise<IncomingFile[]> {
  const files = (await sample()).filter(({ path }) => path.startsWith(`${part}/`));
  return Promise.all(files.map(async (file) => ({ path: file.path.slice(part.length + 1), blob: await file.read() })));
}

/** A few a class that no training sees. */
export async function samplesToTry(): Promise<SamplePicture[]> {
  const counts = new Map<string, number>();
  const chosen = (await sample()).flatMap((file) => {
    const [part, className] = file.path.split('/');
    const count = counts.get(className) ?? 0;
    if (part !== 'test' || count >= A_FEW) return [];
    counts.set(className, count + 1);
    return [{ file, className }];
  });
  return Promise.all(chosen.map(async ({ file, className }) => ({ name: file.path, className, blob: new Blob([await file.read()], { type: 'image/png' }) })));
}

async function sample(): Promise<ArchivedFile[]> {
  return openArchive(new Blob([await download(siteFile('sample.zip'))]), 'sample.zip');
}
