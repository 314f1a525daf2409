/**
 * Features of a project's pictures, kept as they are computed: a set for each trunk, in files that grow few. A pass that is
 * broken off goes on from them, and later runs and maps need not compute them again.
 *
 * What is kept is bounded: features of pictures that the project no longer has are forgotten when the next run or map asks
 * for any, and beside the set that was asked for last there are at most two others, of 256 MB together with it.
 */
import type { FeatureStore, Features } from '../../../src/index';
import type { ImageId } from '../../shared/protocol';
import { readText, type Disk } from '../storage/disk';
import type { Writer } from '../storage/writer';
import { packFeatures, unpackFeatures } from './featureFile';

/** Sets that are kept besides the latest: of trunks that were trained, or of another base. */
const OTHERS = 2;
const MOST_BYTES = 256 * 2 ** 20;

/** `FINGERPRINT.NUMBER`: a part of a set, which only loses rows; `FINGERPRINT.of`: which base it is of, if it is of one. */
const PART = /^([0-9a-f]{64})\.(\d+)$/;
const NAME = /^([0-9a-f]{64})\.of$/;

interface Part {
  readonly name: string;
  readonly fingerprint: string;
  readonly number: number;
}

export interface FeatureSetsDeps {
  readonly disk: Disk;
  readonly folder: string;
  readonly writer: Writer;
  /** Whether the project has this picture. */
  readonly has: (id: ImageId) => boolean;
}

export interface StoreOptions {
  /** What `known` will ask for: names the base that the features are of. Without it nobody asks. */
  readonly of?: string;
  /** Runs after each addition that was kept. */
  readonly onKept?: () => Promise<void>;
}

export class FeatureSets {
  readonly #deps: FeatureSetsDeps;
  /** What the disk did not take yet, by fingerprint. */
  readonly #unwritten = new Map<string, Features>();
  /** Pictures of the parts that were read, by the parts' names. */
  readonly #pictures = new Map<string, readonly ImageId[]>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: FeatureSetsDeps) {
    this.#deps = deps;
  }

  store({ of, onKept }: StoreOptions = {}): FeatureStore {
    return {
      load: (fingerprint) => this.#inTurn(async () => {
        await this.#forgetOld(fingerprint);
        if (of !== undefined) await this.#name(fingerprint, of);
        const features: Features = new Map();
        for (const { name } of await this.#parts(fingerprint)) for (const [id, values] of await this.#read(name)) features.set(id, values);
        return new Map([...features, ...(this.#unwritten.get(fingerprint) ?? [])]);
      }),
      add: async (fingerprint, features) => {
        if (await this.#inTurn(() => this.#add(fingerprint, features))) await onKept?.();
      },
    };
  }

  /** How many of these pictures have features of the base that is named so. */
  known(of: string, pictures: readonly ImageId[]): Promise<number> {
    return this.#inTurn(async () => {
      const { disk, folder } = this.#deps;
      for (const name of await disk.list(folder)) {
        const fingerprint = NAME.exec(name)?.[1];
        if (fingerprint === undefined || await readText(disk, `${folder}/${name}`) !== of) continue;
        const there = new Set([...(this.#unwritten.get(fingerprint)?.keys() ?? [])]);
        for (const part of await this.#parts(fingerprint)) for (const id of await this.#picturesOf(part.name)) there.add(id);
        return pictures.filter((id) => there.has(id)).length;
      }
      return 0;
    });
  }

  /** What sets were named by is another now: of files that are called alike. */
  forgetNames(): Promise<void> {
    return this.#inTurn(async () => {
      const { disk, folder } = this.#deps;
      for (const name of await disk.list(folder)) if (NAME.test(name)) await disk.remove(`${folder}/${name}`);
    });
  }

  /** Parts that are no larger than what is added become one with it, so there are few, and each row is written few times. */
  async #add(fingerprint: string, features: ReadonlyMap<string, Float32Array>): Promise<boolean> {
    const { disk, folder, writer } = this.#deps;
    const fresh: Features = new Map([...(this.#unwritten.get(fingerprint) ?? []), ...features]);
    const parts = await this.#parts(fingerprint);
    const merged: Part[] = [];
    let rows = fresh;
    for (const part of parts.toReversed()) {
      if ((await this.#picturesOf(part.name)).length > rows.size) break;
      rows = new Map([...await this.#read(part.name), ...rows]);
      merged.push(part);
    }
    const name = `${fingerprint}.${(parts.at(-1)?.number ?? 0) + 1}`;
    if (!(await writer.write('features of the pictures', `${folder}/${name}`, packFeatures(rows)))) {
      this.#unwritten.set(fingerprint, fresh);
      return false;
    }
    this.#unwritten.delete(fingerprint);
    this.#pictures.set(name, [...rows.keys()]);
    // Last: what is broken off here leaves rows twice, and no row less.
    for (const part of merged) await this.#remove(part.name);
    await this.#prune(fingerprint, disk, folder);
    return true;
  }

  /** Forgets pictures that the project no longer has, and what is no file of ours. `fingerprint`: the set that is asked for. */
  async #forgetOld(fingerprint: string): Promise<void> {
    const { disk, folder, writer, has } = this.#deps;
    for (const name of await disk.list(folder)) {
      const part = PART.exec(name);
      if (!part) {
        if (!NAME.test(name)) await disk.remove(`${folder}/${name}`).catch(() => undefined);
        continue;
      }
      const pictures = await this.#picturesOf(name);
      if (pictures.length > 0 && pictures.every(has)) continue;
      const left = new Map([...await this.#read(name)].filter(([id]) => has(id)));
      // In its own place: the number tells nothing but that it is another part.
      if (left.size === 0) await this.#remove(name);
      else if (await writer.write('features of the pictures', `${folder}/${name}`, packFeatures(left))) this.#pictures.set(name, [...left.keys()]);
    }
    for (const id of this.#unwritten.get(fingerprint)?.keys() ?? []) if (!has(id)) this.#unwritten.get(fingerprint)?.delete(id);
  }

  /** Features of weights that were not used lately are seldom wanted again. */
  async #prune(but: string, disk: Disk, folder: string): Promise<void> {
    const sets = new Map<string, { bytes: number; time: number }>();
    for (const name of await disk.list(folder)) {
      const fingerprint = PART.exec(name)?.[1];
      const file = fingerprint === undefined ? undefined : await disk.read(`${folder}/${name}`);
      if (fingerprint === undefined || file === undefined) continue;
      const { bytes, time } = sets.get(fingerprint) ?? { bytes: 0, time: 0 };
      sets.set(fingerprint, { bytes: bytes + file.size, time: Math.max(time, file instanceof File ? file.lastModified : 0) });
    }
    let all = sets.get(but)?.bytes ?? 0;
    const others = [...sets].filter(([fingerprint]) => fingerprint !== but).sort(([, a], [, b]) => b.time - a.time);
    for (const [i, [fingerprint, { bytes }]] of others.entries()) {
      all += bytes;
      if (i < OTHERS && all <= MOST_BYTES) continue;
      for (const { name } of await this.#parts(fingerprint)) await this.#remove(name);
      await disk.remove(`${folder}/${fingerprint}.of`);
    }
  }

  async #name(fingerprint: string, of: string): Promise<void> {
    const { disk, folder, writer } = this.#deps;
    const path = `${folder}/${fingerprint}.of`;
    if (await readText(disk, path) === of) return;
    // One name, one set: another of that name is of files that are gone.
    for (const name of await disk.list(folder)) if (NAME.test(name) && await readText(disk, `${folder}/${name}`) === of) await disk.remove(`${folder}/${name}`);
    await writer.write('features of the pictures', path, of);
  }

  /** Of a set, in the order in which they were written. */
  async #parts(wanted: string): Promise<Part[]> {
    const names = await this.#deps.disk.list(this.#deps.folder);
    const parts = names.flatMap((name): Part[] => {
      const [, fingerprint, number] = PART.exec(name) ?? [];
      return fingerprint === wanted ? [{ name, fingerprint, number: Number(number) }] : [];
    });
    return parts.sort((a, b) => a.number - b.number);
  }

  async #read(name: string): Promise<Features> {
    const blob = await this.#deps.disk.read(`${this.#deps.folder}/${name}`);
    const features: Features = blob ? unpackFeatures(await blob.arrayBuffer()) : new Map();
    this.#pictures.set(name, [...features.keys()]);
    return features;
  }

  async #picturesOf(name: string): Promise<readonly ImageId[]> {
    return this.#pictures.get(name) ?? [...(await this.#read(name)).keys()];
  }

  async #remove(name: string): Promise<void> {
    this.#pictures.delete(name);
    await this.#deps.disk.remove(`${this.#deps.folder}/${name}`);
  }

  /** One at a time: parts become others meanwhile. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
