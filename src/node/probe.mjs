/**
 * Asks Dawn for an adapter, in a child process: a live WebGPU instance keeps its process alive, a broken driver can
 * crash or hang it, and a driver is chosen by environment variables that are read once.
 *
 * Plain JavaScript because set-up runs it before anything is built; types are in probe.d.mts.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/** Runs in the child. Prints one line of JSON and ends at once, without waiting for Dawn. */
const CHILD = `
const say = (result) => process.stdout.write(JSON.stringify(result) + '\\n', () => process.exit(0));
const numbers = (o) => {
  const all = {};
  for (const k in o) if (typeof o[k] === 'number') all[k] = o[k];
  return all;
};
try {
  const { create } = await import(process.env.GRAFT_PROBE_MODULE);
  const gpu = create([]);
  const adapter =
    (await gpu.requestAdapter({ powerPreference: 'high-performance' })) ??
    (await gpu.requestAdapter({})) ??
    (await gpu.requestAdapter({ forceFallbackAdapter: true }));
  if (adapter === null) say({ status: 'no-adapter' });
  else {
    const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
    const named = /llvmpipe|lavapipe|swiftshader|basic render|software/i.test([architecture, device, description].join(' '));
    const info = { vendor, architecture, device, description, software: isFallbackAdapter === true || named };
    const features = [...adapter.features].sort();
    const limits = numbers(adapter.limits);
    await adapter.requestDevice();
    say({ status: 'ok', info, features, limits });
  }
} catch (error) {
  say({ status: 'failed', message: String(error?.message ?? error).split('\\n')[0] });
}
`;

/** Where the `webgpu` package lies as seen from this file, or null when it is not installed. */
export function webgpuPath() {
  try {
    return createRequire(import.meta.url).resolve('webgpu');
  } catch {
    return null;
  }
}

/**
 * Result of the probe: `status` is `ok` (with info, features, limits), `no-adapter`, `no-package` (webgpu is not
 * installed), or `failed` (with a one-line message: the binary does not load, the device cannot be made, the driver
 * crashed or took longer than `timeoutMs`). Never rejects.
 */
export function probeAdapter({ env = {}, timeoutMs = 60_000 } = {}) {
  const path = webgpuPath();
  if (path === null) return Promise.resolve({ status: 'no-package' });
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', CHILD], {
      env: { ...process.env, NODE_OPTIONS: '', ...env, GRAFT_PROBE_MODULE: pathToFileURL(path).href },
      stdio: ['ignore', 'pipe', 'ignore'],
      windowsHide: true,
    });
    let output = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    const failed = (message) => resolve({ status: 'failed', message });
    child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => {
      clearTimeout(timer);
      failed(`the probe could not be started: ${error.message}`);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const line = output.split('\n').find((text) => text.startsWith('{'));
      if (line !== undefined) resolve(JSON.parse(line));
      else if (late) failed(`the graphics driver did not answer within ${timeoutMs / 1000} s`);
      else failed(`the graphics driver ended the probe (${signal ?? `exit status ${code}`})`);
    });
  });
}
