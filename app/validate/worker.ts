/** Runs fixtures one after another, with the same code as `graft validate` in Node, and reports each verdict as it comes. */
import { DeviceError, blobSource, openGpu, openWeights, validateFixture, type Gpu, type Verdict } from '../../src/index';
import type { IncomingFile } from '../shared/protocol';
import { isArchive, openArchive } from '../worker/input/archive';
import type { Report, Task } from './messages';

/** A fixture that is there to be read when its turn comes. */
interface Pending {
  readonly name: string;
  read(): Promise<Blob>;
}

const say = (report: Report): void => self.postMessage(report);

self.onmessage = ({ data }: MessageEvent<Task>) => {
  run(data).then(
    () => say({ kind: 'done' }),
    (error: unknown) => say({ kind: 'broken', message: wordsOf(error), device: error instanceof DeviceError }),
  );
};

async function run(task: Task): Promise<void> {
  const pending = task.kind === 'own' ? await ownFixtures(task) : (await Promise.all(task.files.map(opened))).flat();
  say({ kind: 'found', total: pending.length });
  if (pending.length === 0) return;
  let device = await openDevice();
  for (const { name, read } of pending) {
    say({ kind: 'begins', name });
    let verdict = await verdictOf(device.gpu, name, read);
    if (device.lost() && verdict.status !== 'pass') {
      device = await openDevice().catch((error: unknown) => {
        throw new Error(`the GPU was lost at ${name}, and no new one is to be had: ${wordsOf(error)}`);
      });
      say({ kind: 'note', text: `The GPU was lost at ${name}; a new one was taken, and it was tried again.` });
      verdict = await verdictOf(device.gpu, name, read);
    }
    say({ kind: 'verdict', verdict });
  }
  device.gpu.destroy();
}

async function openDevice(): Promise<{ readonly gpu: Gpu; lost(): boolean }> {
  const gpu = await openGpu();
  let lost = false;
  void gpu.device.lost.then(() => { lost = true; });
  say({ kind: 'device', adapter: gpu.adapter });
  return { gpu, lost: () => lost };
}

/** A file that cannot be read or opened is a verdict like any other. */
function verdictOf(gpu: Gpu, name: string, read: Pending['read']): Promise<Verdict> {
  return validateFixture(gpu, read().then((blob) => openWeights(blobSource(blob, name))), name);
}

async function ownFixtures({ url, names }: Extract<Task, { kind: 'own' }>): Promise<Pending[]> {
  const index = (await (await fetched(`${url}index.json`)).json()) as string[];
  // Whole networks come last: on a software adapter one takes a minute.
  const place = (name: string): number => ['ops/', 'optim/', 'train/'].findIndex((folder) => name.startsWith(folder)) >>> 0;
  return (names ?? index.sort((a, b) => place(a) - place(b))).map((name) => ({ name, read: async () => (await fetched(url + name)).blob() }));
}

async function fetched(url: string): Promise<Response> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} could not be fetched: the server answered ${response.status}`);
  return response;
}

/** A file as it was named; of folders and archives, every .safetensors file in them. */
async function opened(file: IncomingFile): Promise<Pending[]> {
  const { path, blob } = file;
  const fixture = /\.safetensors$/i;
  if (!fixture.test(path) && await isArchive(file)) {
    try {
      const inside = await openArchive(blob, path);
      return inside.filter((each) => fixture.test(each.path)).map((each) => ({ name: `${path}/${each.path}`, read: () => each.read() }));
    } catch (error) {
      return [{ name: path, read: () => Promise.reject(error instanceof Error ? error : new Error(String(error))) }];
    }
  }
  return path.includes('/') && !fixture.test(path) ? [] : [{ name: path, read: () => Promise.resolve(blob) }];
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
