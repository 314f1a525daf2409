// The doctor's facts on this machine, and what it says of machines that lack something.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { doctor, findProblems, formatDoctor, type DoctorReport } from '../src/node/doctor';
import { probeAdapter, type Probe } from '../src/node/probe.mjs';
import { describeSystem } from '../src/node/system.mjs';

const GIB = 1024 ** 3;

const HARDWARE: Probe = {
  status: 'ok',
  info: { vendor: 'acme', architecture: 'gen-9', device: '0x1', description: 'Acme 9000 driver 1.2', software: false },
  features: ['shader-f16', 'subgroups'],
  limits: { maxBufferSize: 4 * GIB - 1, maxStorageBufferBindingSize: 2 * GIB, maxComputeWorkgroupStorageSize: 32768, maxComputeInvocationsPerWorkgroup: 1024 },
};

function facts(changes: Partial<DoctorReport> = {}): DoctorReport {
  return {
    adapter: HARDWARE,
    driverFiles: [],
    system: { name: 'Test OS', platform: 'linux', arch: 'x64', cpus: 8, root: false },
    node: '22.12.0',
    packages: { webgpu: '1.0.0', sharp: '1.0.0' },
    browser: '/usr/bin/chromium',
    firefox: '/usr/bin/firefox',
    cache: { folder: '/c', bytes: 0, files: 0, writable: true },
    disk: { free: 50 * GIB, total: 100 * GIB },
    memory: { free: 8 * GIB, total: 16 * GIB },
    problems: [],
    ...changes,
  };
}

const fedora = describeSystem({ platform: 'linux', uid: 1000, hasApt: false, osRelease: 'ID=fedora\n' });

describe('problems', () => {
  it('are none on a machine with everything', () => {
    expect(findProblems(facts(), fedora, true)).toEqual([]);
  });

  it('without an adapter: the command of this system', () => {
    const [problem] = findProblems(facts({ adapter: { status: 'no-adapter' } }), fedora, false);
    expect(problem).toMatchObject({ severity: 'error', mend: 'sudo dnf install -y mesa-vulkan-drivers vulkan-loader' });
  });

  it('with VK_DRIVER_FILES naming a file that is not there: that, not an installation', () => {
    const broken = facts({ adapter: { status: 'no-adapter' }, driverFiles: ['/nowhere/icd.json'] });
    const [problem] = findProblems(broken, fedora, false);
    expect(problem).toMatchObject({ severity: 'error', mend: expect.stringMatching(/^unset VK_/) as unknown });
    expect(problem.what).toContain('/nowhere/icd.json, which is not there');
    expect(formatDoctor(broken)).not.toContain('Vulkan drivers');
  });

  it('with a driver that crashes: its reason', () => {
    const [problem] = findProblems(facts({ adapter: { status: 'failed', message: 'the graphics driver ended the probe (SIGSEGV)' } }), fedora, false);
    expect(problem.what).toContain('SIGSEGV');
  });

  it('without packages: npm install, and the page still reads', () => {
    const broken = facts({ adapter: { status: 'no-package' }, packages: { webgpu: null, sharp: null } });
    const problems = findProblems(broken, fedora, false);
    expect(problems.map((p) => p.mend)).toEqual(expect.arrayContaining(['npm install webgpu', 'npm install --include=optional sharp']));
    const page = formatDoctor({ ...broken, problems });
    expect(page).toContain('Graft cannot work here yet:');
    expect(page).toMatch(/webgpu +missing/);
  });

  it('with a software adapter: a warning only where there is a GPU', () => {
    const software: Probe = { ...HARDWARE, info: { ...HARDWARE.info, software: true } };
    const severity = (gpu: boolean | null): string => findProblems(facts({ adapter: software }), fedora, gpu)[0].severity;
    expect(severity(true)).toBe('warning');
    expect(severity(false)).toBe('note');
    expect(severity(null)).toBe('note');
  });

  it('of disk, memory, cache, limits and Node, the gravest first', () => {
    const poor = facts({
      node: '18.20.0',
      adapter: { ...HARDWARE, limits: { ...HARDWARE.limits, maxStorageBufferBindingSize: 2 ** 20 } },
      cache: { folder: '/c', bytes: 0, files: 0, writable: false },
      disk: { free: 1000, total: GIB },
      memory: { free: 1000, total: GIB },
      browser: null,
      firefox: null,
    });
    const problems = findProblems(poor, fedora, true);
    expect(problems.map((p) => p.severity)).toEqual(['error', 'warning', 'warning', 'warning', 'warning', 'note', 'note']);
    for (const { what, mend } of problems) expect(`${what}${mend}`).not.toContain('\n');
    expect(problems.slice(-2).map(({ mend }) => mend)).toEqual(['sudo dnf install -y chromium', 'sudo dnf install -y firefox']);
  });
});

describe('the page', () => {
  it('tells the adapter, what it can do, and rounds limits down', () => {
    const page = formatDoctor(facts());
    expect(page).toMatch(/kind +hardware/);
    expect(page).toMatch(/driver +Acme 9000 driver 1.2/);
    expect(page).toMatch(/largest buffer +3.9 GiB/);
    expect(page).toMatch(/workgroup memory +32 KiB/);
    expect(page).toMatch(/timestamp-query +no/);
    expect(page).toContain('Graft can work here.');
  });
});

describe('doctor', () => {
  it('reports this machine and measures the cache', async () => {
    const cache = mkdtempSync(join(tmpdir(), 'graft-cache-'));
    mkdirSync(join(cache, 'features'));
    writeFileSync(join(cache, 'a.bin'), new Uint8Array(1000));
    writeFileSync(join(cache, 'features', 'b.bin'), new Uint8Array(500));
    const report = await doctor({ cache });
    expect(report.cache).toEqual({ folder: cache, bytes: 1500, files: 2, writable: true });
    expect(report.node).toBe(process.versions.node);
    expect(report.packages.webgpu).toMatch(/^\d+\.\d+/);
    expect(report.packages.sharp).toMatch(/\d+\.\d+/);
    expect(report.memory.free).toBeGreaterThan(0);
    expect(report.adapter.status).toBe('ok');
    if (report.adapter.status === 'ok') expect(report.adapter.limits.maxBufferSize).toBeGreaterThan(2 ** 20);
    expect(formatDoctor(report)).toContain(report.system.name);
  });

  it('leaves a cache folder that is not there unmade, and survives a path that cannot be one', async () => {
    const base = mkdtempSync(join(tmpdir(), 'graft-cache-'));
    const probe = (): Promise<Probe> => Promise.resolve({ status: 'no-adapter' });
    const absent = await doctor({ cache: join(base, 'x', 'y'), probe });
    expect(absent.cache).toMatchObject({ bytes: 0, files: 0, writable: true });
    expect((await doctor({ cache: join(base, 'x', 'y'), probe })).cache.writable).toBe(true);
    writeFileSync(join(base, 'file'), '');
    expect((await doctor({ cache: join(base, 'file', 'y'), probe })).cache.writable).toBe(false);
  });
});

describe('the probe', () => {
  it('says so when a driver file leads nowhere', async () => {
    const probe = await probeAdapter({ env: { VK_DRIVER_FILES: '/nonexistent.json' } });
    // Metal and Direct3D do not read Vulkan's variables.
    expect(probe.status).toBe(process.platform === 'linux' ? 'no-adapter' : 'ok');
  });

  it('ends a driver that does not answer', async () => {
    const probe = await probeAdapter({ timeoutMs: 1 });
    expect(probe).toEqual({ status: 'failed', message: 'the graphics driver did not answer within 0.001 s' });
  });
});
