/** Runs the built `graft` command as users do: as a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import sharp from 'sharp';
import { build } from 'vite';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  /** Without what Dawn itself prints about adapters. */
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with all output so far, each time there is more. */
  readonly onOutput?: (stdout: string, child: ChildProcess) => void;
}

/** A build of its own, so that tests neither need nor disturb `dist/`; and an empty folder to work in. */
export class Cli {
  readonly folder = mkdtempSync(join(tmpdir(), 'graft-cli-'));
  readonly #dist = join(ROOT, '.cache', `test-cli-${process.pid}`);

  static async build(): Promise<Cli> {
    const cli = new Cli();
    await build({ root: ROOT, logLevel: 'error', build: { outDir: cli.#dist, emptyOutDir: true } });
    return cli;
  }

  remove(): void {
    rmSync(this.#dist, { recursive: true, force: true });
    rmSync(this.folder, { recursive: true, force: true });
  }

  run(args: readonly string[], { cwd = this.folder, env = {}, onOutput }: RunOptions = {}): Promise<Finished> {
    return new Promise((done, fail) => {
      const child = spawn(process.execPath, [join(this.#dist, 'cli.js'), ...args], {
        cwd, env: { ...process.env, GRAFT_CACHE: join(this.folder, 'cache'), NO_COLOR: '1', ...env }, timeout: 200_000,
      });
      let [stdout, stderr] = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text;
        onOutput?.(stdout, child);
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      child.on('error', fail);
      child.on('close', (status, signal) => done({ status, signal, stdout, stderr: stderr.replace(/^Warning: max\w+ artificially reduced.*\n/gm, '') }));
    });
  }
}

/** A 32 x 32 PNG of a colour with noise: the same for the same numbers. */
export async function picture(hue: number, index: number): Promise<Buffer> {
  const data = Buffer.alloc(32 * 32 * 3);
  let state = hue * 7919 + index * 104729 + 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    data[i] = Math.min(255, (i % 3 === hue % 3 ? 150 : 40) + ((state >>> 16) % 60) + hue * 5);
  }
  return sharp(data, { raw: { width: 32, height: 32, channels: 3 } }).png().toBuffer();
}

/** Writes an image folder: `count` pictures of each label, those of one label alike. */
export async function writeImages(folder: string, labels: readonly string[], count: number, first = 0): Promise<void> {
  for (const [hue, label] of labels.entries()) {
    for (let i = 0; i < count; i++) {
      const path = join(folder, label, `${i}.png`);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, await picture(hue, first + i));
    }
  }
}
