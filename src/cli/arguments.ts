/** Values of options: checked where they are read, with the option's name in the message. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DeviceError, UsageError, suggest } from '../errors';
import { openGpu } from '../gpu/device';
import type { Gpu } from '../gpu/gpu';
import { probeAdapter } from '../node/probe.mjs';
import { loadTuning } from '../node/tuneStore';
import type { Precision } from '../transfer/precision';

interface NumberRange {
  readonly least?: number;
  /** The least value itself is not allowed. */
  readonly above?: number;
  readonly below?: number;
  readonly whole?: boolean;
}

/** A number within bounds. */
export function number(option: string, { least, above, below, whole = false }: NumberRange = {}): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? NaN : Number(text);
    const good = Number.isFinite(value) && (!whole || Number.isInteger(value))
      && (least === undefined || value >= least) && (above === undefined || value > above) && (below === undefined || value < below);
    if (good) return value;
    const bounds = [least !== undefined && `of at least ${least}`, above !== undefined && `above ${above}`, below !== undefined && `below ${below}`].filter(Boolean).join(' and ');
    throw new UsageError(`${option} takes a ${whole ? 'whole ' : ''}number${bounds && ` ${bounds}`}, got '${text}'`);
  };
}

/** Numbers within bounds, with commas between them; each once. */
export function numbers(option: string, range: NumberRange = {}): (text: string) => number[] {
  const one = number(option, range);
  return (text) => [...new Set(text.split(',').map(one))];
}

/** An amount of memory in bytes: `512MB`, `1.5 GB`, `300m`. As everywhere in Graft, a MB is 2^20 bytes. */
export function memorySize(option: string): (text: string) => number {
  return (text) => {
    const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt])(?:i?b)?\s*$/i.exec(text);
    const value = match ? Number(match[1]) * 1024 ** ('kmgt'.indexOf(match[2].toLowerCase()) + 1) : 0;
    if (value >= 1) return Math.floor(value);
    throw new UsageError(`${option} takes an amount of memory with its unit, such as 512MB or 2GB, got '${text}'`);
  };
}

/** One of some words. */
export function oneOf<T extends string>(option: string, words: readonly T[]): (text: string) => T {
  return (text) => {
    const hit = words.find((word) => word === text);
    if (hit !== undefined) return hit;
    throw new UsageError(`${option} does not know '${text}'.${suggest(text, words)}`);
  };
}

/** `--precision`, where it was given. */
export function precisionOption({ precision }: { readonly precision?: Precision }): { precision?: Precision } {
  return precision === undefined ? {} : { precision };
}

/** The kinds of adapter that `--gpu` names. */
export const GPU_KINDS = ['hardware', 'software'] as const;

/** Opens the device a command runs on, with what was tuned for it, once, when it is first asked for. */
export function gpuOf({ gpu }: { readonly gpu?: (typeof GPU_KINDS)[number] }): () => Promise<Gpu> {
  let opened: Gpu | undefined;
  return async () => {
    if (opened && !opened.lost) return opened;
    return (opened = await quietly(async () => {
      const device = await openGpu(gpu === undefined ? {} : { prefer: gpu });
      await loadTuning(device);
      return device;
    }));
  };
}

/**
 * Without any Vulkan driver, Dawn writes a page of its own to stderr before it says so. Where none is to be seen, a
 * child process is asked first, whose stderr is not ours.
 */
async function quietly(open: () => Promise<Gpu>): Promise<Gpu> {
  if (process.platform === 'linux' && !vulkanDriverSeen()) {
    const probe = await probeAdapter();
    if (probe.status !== 'ok' && probe.status !== 'no-package') {
      throw new DeviceError("no WebGPU adapter was found; install a GPU driver with Vulkan, or a software one ('graft doctor' shows the command)");
    }
  }
  return open();
}

function vulkanDriverSeen(): boolean {
  const told = process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES;
  if (told) return told.split(':').some((path) => existsSync(path));
  return ['/etc', '/usr/local/etc', '/usr/local/share', '/usr/share'].some((base) => {
    const folder = join(base, 'vulkan', 'icd.d');
    return existsSync(folder) && readdirSync(folder).length > 0;
  });
}

/** `--weights`: `random` (or `none`) asks for random ones. */
export function weightsOption(text: string | undefined): { weights?: string | null } {
  if (text === undefined) return {};
  return { weights: text === 'random' || text === 'none' ? null : text };
}
