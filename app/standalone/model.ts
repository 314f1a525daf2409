/** The model inside the page: unpacked once, put on the GPU, and again if the GPU goes away. */
import { decodeBlob, load, openGpu, preprocess, type Classifier, type Pixels } from '../../src/index';
import { dropAlpha } from '../../src/data/pixels';
import type { PageFacts } from './facts';
import { unpack } from './pack';

export interface Answer {
  readonly name: string;
  readonly probability: number;
}

/** Facts of the page it runs in. */
export function readFacts(): PageFacts {
  const facts = JSON.parse(document.getElementById('facts')?.textContent ?? 'null') as PageFacts | null;
  if (facts?.format !== 'graft-page-1') throw new Error('this page holds no model: its file is damaged, or it is the empty template');
  return facts;
}

/** The weights' texts, each removed from the page once it is read, so that they do not stay in memory twice. */
function* texts(): Generator<string> {
  for (const element of document.querySelectorAll('script.weights')) {
    yield element.textContent ?? '';
    element.remove();
  }
}

export class PageModel {
  readonly #facts: PageFacts;
  readonly #weights: Blob;
  #open: Promise<Classifier> | undefined;

  private constructor(facts: PageFacts, weights: Blob) {
    this.#facts = facts;
    this.#weights = weights;
  }

  /** @throws Error when the page is damaged; DeviceError without WebGPU. */
  static async open(facts: PageFacts, onProgress: (share: number) => void): Promise<PageModel> {
    // A browser without WebGPU is told so before megabytes are unpacked.
    const gpu = await openGpu();
    const weights = await unpack(texts(), facts.weights, onProgress).catch((cause: Error) => {
      throw new Error(`the model in this page is damaged (${cause.message}); save or copy the page again`, { cause });
    });
    const model = new PageModel(facts, new Blob([weights]));
    await model.#classifier(gpu);
    return model;
  }

  async #classifier(gpu?: Awaited<ReturnType<typeof openGpu>>): Promise<Classifier> {
    this.#open ??= (async () => {
      const device = gpu ?? (await openGpu());
      const classifier = await load(this.#weights, { gpu: device, card: { ...this.#facts.card } });
      // One image of nothing compiles all programs, so that the first picture does not wait for them.
      const { cropSize } = classifier.preprocessing;
      await classifier.predict(new Float32Array(cropSize * cropSize * 3), 1);
      void device.device.lost.then(() => (this.#open = undefined));
      return classifier;
    })();
    this.#open.catch(() => (this.#open = undefined));
    return this.#open;
  }

  /** What the GPU calls itself. */
  async adapter(): Promise<string> {
    const { vendor, architecture, device, description } = (await this.#classifier()).gpu.adapter;
    return description || [vendor, architecture, device].filter((part) => part !== '').join(' ') || 'this GPU';
  }

  /** All classes, the most likely first. */
  async classify(picture: Blob | HTMLVideoElement, name = 'picture'): Promise<Answer[]> {
    const pixels = picture instanceof Blob ? await decodeBlob(picture, name) : frameOf(picture);
    try {
      return await this.#answer(pixels);
    } catch (error) {
      // A GPU that went away takes the model along: once more on a new one.
      if (this.#open !== undefined) throw error;
      return this.#answer(pixels);
    }
  }

  async #answer(pixels: Pixels): Promise<Answer[]> {
    const classifier = await this.#classifier();
    const values = await classifier.predict(preprocess(pixels, classifier.preprocessing), 1);
    return classifier.classes.map((name, i) => ({ name, probability: values[i] })).sort((a, b) => b.probability - a.probability);
  }
}

function frameOf(video: HTMLVideoElement): Pixels {
  const { videoWidth: width, videoHeight: height } = video;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('the browser gives no canvas to read the camera with');
  context.drawImage(video, 0, 0);
  return dropAlpha(width, height, context.getImageData(0, 0, width, height).data);
}
