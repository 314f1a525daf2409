/**
 * `graft doctor`: what this machine offers Graft, what is missing, and the command that mends it. Every fact is asked
 * for separately, so that a broken part (no package, no driver, an unreadable folder) leaves the others legible.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { readdir, stat, statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { counted } from '../report/format';
import { cacheDir } from './cacheDir';
import { readAptSources } from './aptSources.mjs';
import { probeAdapter, webgpuPath, type AdapterInfo, type Probe } from './probe.mjs';
import { adapterRoute, browserRoute, describeSystem, findBrowser, findFirefox, findSwiftshader, firefoxRoute, type System } from './system.mjs';

/** `error`: Graft cannot work. `warning`: it works, and less well than it could. `note`: some things are left out. */
export type Severity = 'error' | 'warning' | 'note';

export interface DoctorProblem {
  severity: Severity;
  what: string;
  /** What to do: a command where one does it. */
  mend: string;
}

export interface DoctorReport {
  /** As `Probe` of the adapter that Graft would choose here. */
  adapter: Probe;
  /** Vulkan's driver files on Linux, in the order of their folders; empty elsewhere. */
  driverFiles: string[];
  system: { name: string; platform: string; arch: string; cpus: number; root: boolean };
  node: string;
  /** Versions of the packages, or null where one is not installed or does not load. */
  packages: { webgpu: string | null; sharp: string | null };
  /** Paths of a browser built on Chromium, and of Firefox. */
  browser: string | null;
  firefox: string | null;
  /** Bytes. */
  cache: { folder: string; bytes: number; files: number; writable: boolean };
  /** Bytes on the disk of the cache folder, or null where the system does not tell. */
  disk: { free: number; total: number } | null;
  /** Bytes. */
  memory: { free: number; total: number };
  problems: DoctorProblem[];
}

export interface DoctorOptions {
  /** Default: the user's cache folder. */
  cache?: string;
  /** Replaces the probe of the adapter. */
  probe?: () => Promise<Probe>;
}

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;

/** Limits that decide which models and kernels fit, with the unit they are shown in. */
const LIMITS: readonly (readonly [name: string, label: string, unit: 'bytes' | 'count'])[] = [
  ['maxBufferSize', 'largest buffer', 'bytes'],
  ['maxStorageBufferBindingSize', 'largest storage binding', 'bytes'],
  ['maxStorageBuffersPerShaderStage', 'storage buffers a stage', 'count'],
  ['maxComputeWorkgroupStorageSize', 'workgroup memory', 'bytes'],
  ['maxComputeInvocationsPerWorkgroup', 'invocations a workgroup', 'count'],
  ['maxComputeWorkgroupsPerDimension', 'workgroups a dimension', 'count'],
];

/** Features that Graft uses where there are any, and what for. */
const FEATURES: readonly (readonly [name: string, use: string])[] = [
  ['shader-f16', 'half precision'],
  ['subgroups', 'faster reductions'],
  ['timestamp-query', 'time by kernel in the profiler'],
];

/** Gathers the facts; takes a second or two, and never throws on account of what it finds. */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorReport> {
  const system = describeSystem();
  const folder = options.cache ?? cacheDir();
  const [adapter, sharp, cache, disk] = await Promise.all([
    (options.probe ?? probeAdapter)(),
    sharpVersion(),
    measureCache(folder),
    diskOf(folder),
  ]);
  const facts: Omit<DoctorReport, 'problems'> = {
    adapter,
    driverFiles: driverFiles(),
    system: { name: system.name, platform: system.platform, arch: system.arch, cpus: availableParallelism(), root: system.root },
    node: process.versions.node,
    packages: { webgpu: webgpuVersion(), sharp },
    browser: findBrowser(),
    firefox: findFirefox(),
    cache,
    disk,
    memory: { free: availableMemory(), total: totalmem() },
  };
  return { ...facts, problems: findProblems(facts, system) };
}

function webgpuVersion(): string | null {
  const path = webgpuPath();
  if (path === null) return null;
  try {
    return (JSON.parse(readFileSync(join(dirname(path), 'package.json'), 'utf8')) as { version: string }).version;
  } catch {
    return null;
  }
}

/** Loads sharp rather than look for its folder: what fails on a foreign platform is its binary. */
async function sharpVersion(): Promise<string | null> {
  try {
    const sharp = createRequire(import.meta.url)('sharp') as { versions: { sharp?: string; vips: string } };
    return sharp.versions.sharp ?? `with libvips ${sharp.versions.vips}`;
  } catch {
    return null;
  }
}

async function measureCache(folder: string): Promise<DoctorReport['cache']> {
  const cache = { folder, bytes: 0, files: 0, writable: isWritable(folder) };
  try {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      // A file may go while we look: a training run beside us renames its own.
      const size = await stat(join(entry.parentPath ?? entry.path, entry.name)).then((s) => s.size, () => null);
      if (size === null) continue;
      cache.bytes += size;
      cache.files++;
    }
  } catch {
    // Not there yet, or not to be read: nothing in it that counts.
  }
  return cache;
}

/** Whether the folder can be written to or, where it is yet to be made, the nearest one above it that is there. */
function isWritable(folder: string): boolean {
  let path = folder;
  while (!existsSync(path) && path !== dirname(path)) path = dirname(path);
  try {
    accessSync(path, constants.W_OK);
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

async function diskOf(folder: string): Promise<DoctorReport['disk']> {
  for (let path = folder; ; path = dirname(path)) {
    try {
      const { bavail, blocks, bsize } = await statfs(path);
      return { free: bavail * bsize, total: blocks * bsize };
    } catch {
      if (path === dirname(path)) return null;
    }
  }
}

/** Bytes that a program could still get. Linux counts its file cache as used in `freemem`, and gives it back on demand. */
function availableMemory(): number {
  try {
    const match = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'));
    if (match) return Number(match[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return freemem();
}

function driverFiles(): string[] {
  if (process.platform !== 'linux') return [];
  const told = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  if (told !== undefined && told !== '') return told.split(':');
  return ['/etc', '/usr/local/share', '/usr/share'].flatMap((base) => {
    const folder = join(base, 'vulkan/icd.d');
    return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')).sort().map((name) => join(folder, name)) : [];
  });
}

/** Whether a GPU's device file is there, whatever its driver; null where only the system's own tools tell. */
function hasGpuDevice(): boolean | null {
  if (process.platform !== 'linux') return null;
  const names = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
  return names('/dev').some((name) => /^nvidia\d+$/.test(name)) || names('/dev/dri').some((name) => name.startsWith('renderD'));
}

/** What is amiss with these facts, the gravest first. */
export function findProblems(facts: Omit<DoctorReport, 'problems'>, system: System, gpuDevice = hasGpuDevice()): DoctorProblem[] {
  const problems: DoctorProblem[] = [];
  const add = (severity: Severity, what: string, mend: string): number => problems.push({ severity, what, mend });

  const [major, minor] = facts.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 9)) add('error', `Node ${facts.node} is too old.`, 'Install Node 20.9 or later.');
  if (facts.packages.sharp === null) add('error', 'The sharp package, which decodes images, does not load.', 'npm install --include=optional sharp');

  const { adapter } = facts;
  if (adapter.status === 'no-package') {
    add('error', 'The webgpu package, which brings WebGPU to Node, is not installed.', 'npm install webgpu');
  } else if (adapter.status !== 'ok') {
    const reason = adapter.status === 'failed' ? ` (${adapter.message})` : '';
    const lost = facts.driverFiles.filter((file) => !existsSync(file)); // by name; those that were looked for are there
    if (lost.length > 0) {
      const variable = process.env.VK_DRIVER_FILES === undefined && process.env.VK_ICD_FILENAMES !== undefined ? 'VK_ICD_FILENAMES' : 'VK_DRIVER_FILES';
      add('error', `WebGPU finds no adapter${reason}: ${variable} names ${lost.join(', ')}, which is not there.`, `unset ${variable}`);
    } else {
      const route = adapterRoute(system, readAptSources());
      add('error', `WebGPU finds no adapter${reason}: ${route.why}.`, route.command ?? 'See above; no single command does it here.');
    }
    const icd = findSwiftshader(facts.browser);
    if (icd !== null) add('note', 'A Chromium on this machine brings SwiftShader, a slower software adapter.', `export VK_DRIVER_FILES=${icd}`);
  } else {
    if (adapter.info.software) addSoftware(adapter.info, add, gpuDevice);
    const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
    const smallest = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    if (smallest < 128 * MIB) {
      add('warning', `The adapter takes no storage buffer above ${formatBytes(smallest)}: larger models and batches will not fit.`, 'Use a smaller --batch-size or a smaller model.');
    }
  }

  if (!facts.cache.writable) add('warning', `The cache folder ${facts.cache.folder} cannot be written to: features and weights are not kept.`, 'Set GRAFT_CACHE to a folder that can.');
  if (facts.disk !== null && facts.disk.free < GIB) add('warning', `Only ${formatBytes(facts.disk.free)} are free on the disk of the cache folder.`, `Make room, or set GRAFT_CACHE to a folder on another disk.`);
  if (facts.memory.free < GIB) add('warning', `Only ${formatBytes(facts.memory.free)} of memory are free.`, 'Close other programs, or use a smaller --batch-size.');
  if (facts.browser === null) {
    const route = browserRoute(system);
    add('note', "No Chromium or Chrome was found. Only Graft's own browser tests need one.", route.command ?? 'Install one, or set CHROME_PATH to where it is.');
  }
  if (facts.firefox === null) add('note', "No Firefox was found. Only Graft's own tests in it need one.", firefoxRoute(system).command ?? 'Install it, or set FIREFOX_PATH to where it is.');
  const order: readonly Severity[] = ['error', 'warning', 'note'];
  return problems.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

function addSoftware(info: AdapterInfo, add: (severity: Severity, what: string, mend: string) => number, gpuDevice: boolean | null): void {
  if (gpuDevice === true) {
    add('warning', `The adapter runs on the CPU (${info.description}), though this machine has a GPU.`, "Install the GPU maker's Vulkan driver, and see that this user may open /dev/dri (groups video and render).");
  } else {
    add('note', `The adapter runs on the CPU (${info.description}): everything works, more slowly.`, 'Use a machine with a GPU for larger models.');
  }
}

/** The report as a page for a terminal, at most about 100 columns wide where paths and commands allow. */
export function formatDoctor(report: DoctorReport): string {
  const lines: string[] = [];
  const row = (label: string, value: string): number => lines.push(`  ${label.padEnd(26)}${value}`);
  const { adapter } = report;

  lines.push('Adapter');
  if (adapter.status === 'ok') {
    const { info } = adapter;
    row('kind', info.software ? 'software (runs on the CPU)' : 'hardware');
    row('device', [info.vendor, info.architecture, info.device].filter((word) => word !== '').join(' / '));
    row('driver', info.description === '' ? 'not told' : info.description);
    for (const [name, use] of FEATURES) row(name, `${adapter.features.includes(name) ? 'yes' : 'no'} (${use})`);
    for (const [name, label, unit] of LIMITS) {
      const value = adapter.limits[name];
      if (value !== undefined) row(label, unit === 'bytes' ? formatBytes(value) : String(value));
    }
  } else row('none', adapter.status === 'failed' ? adapter.message : adapter.status === 'no-package' ? 'the webgpu package is not installed' : 'WebGPU offers none');
  const drivers = report.driverFiles.filter((file) => existsSync(file)).map((file) => basename(file).replace(/(_icd|\.\w+)*\.json$/, ''));
  for (const [i, line] of wrap(drivers, 70).entries()) row(i === 0 ? 'Vulkan drivers installed' : '', line);

  lines.push('', 'Machine');
  row('system', `${report.system.name}, ${report.system.platform} ${report.system.arch}, ${report.system.cpus} CPUs`);
  row('memory', `${formatBytes(report.memory.free)} free of ${formatBytes(report.memory.total)}`);
  if (report.disk !== null) row('disk', `${formatBytes(report.disk.free)} free of ${formatBytes(report.disk.total)}`);

  lines.push('', 'Software');
  row('Node', report.node);
  row('webgpu', report.packages.webgpu ?? 'missing');
  row('sharp', report.packages.sharp ?? 'missing');
  row('browser', report.browser ?? 'none');
  row('Firefox', report.firefox ?? 'none');
  row('cache', `${report.cache.folder} (${counted(report.cache.files, 'file')}, ${formatBytes(report.cache.bytes)})`);
  if (adapter.status === 'ok') lines.push('', 'All features', ...wrap(adapter.features, 96).map((line) => `  ${line}`));

  lines.push('');
  const errors = report.problems.filter((problem) => problem.severity === 'error').length;
  lines.push(errors > 0 ? 'Graft cannot work here yet:' : 'Graft can work here.');
  for (const { severity, what, mend } of report.problems) lines.push(`  ${severity}: ${what}`, `    ${mend}`);
  return `${lines.join('\n')}\n`;
}

/** `1.5 GiB`, `16 KiB`, `12 bytes`. */
function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  // Rounded down, so that a limit of one byte less than 4 GiB is not told to be 4.
  const value = Math.floor((bytes / 1024 ** power) * 10) / 10;
  return `${value} ${units[power]}`;
}

function wrap(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
