/**
 * What this machine is, and what it takes to give it a WebGPU adapter and a browser: the one table of decisions that
 * set-up acts on and `graft doctor` prints.
 *
 * Plain JavaScript because set-up runs it before any package is installed; types are in system.d.mts.
 */
import { accessSync, constants, existsSync, readFileSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { backportsSource, hasBackports } from './aptSources.mjs';

const APT_MESA = ['mesa-vulkan-drivers', 'libvulkan1'];
const MESA_DIRECT = { debian: 13, ubuntu: 24.04 };

/** Fields of an `os-release` file. */
export function parseOsRelease(text) {
  const fields = {};
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Z_]+)=(.*)$/.exec(line);
    if (match !== null) fields[match[1]] = match[2].trim().replace(/^(['"])(.*)\1$/, '$2');
  }
  return fields;
}

/** This machine, or, with the arguments given, another one. */
export function describeSystem({
  platform = process.platform,
  arch = process.arch,
  uid = process.getuid?.() ?? -1,
  osRelease = readOsRelease(),
  hasApt = existsSync('/usr/bin/apt-get'),
} = {}) {
  const fields = platform === 'linux' ? parseOsRelease(osRelease) : {};
  const id = fields.ID ?? '';
  const names = { darwin: 'macOS', win32: 'Windows', linux: 'Linux' };
  return {
    platform,
    arch,
    id,
    family: [id, ...(fields.ID_LIKE ?? '').split(/\s+/)].filter(Boolean),
    // Debian's testing and unstable carry no number: newer than any that does.
    version: fields.VERSION_ID === undefined ? Infinity : Number.parseFloat(fields.VERSION_ID),
    codename: fields.VERSION_CODENAME ?? '',
    name: fields.PRETTY_NAME ?? names[platform] ?? platform,
    root: uid === 0,
    apt: platform === 'linux' && hasApt,
  };
}

function readOsRelease() {
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      // Try the next one; a Linux without either is handled as an unknown one.
    }
  }
  return '';
}

/**
 * How a software adapter comes to this machine. `{ install, command, why }`: `install` is what set-up may run itself
 * (APT as root: packages, the release to take them from, a source file to add), or null; `command` is what a person
 * would type, or null where no command does it; `why` says what stands in the way or what is being added.
 */
export function adapterRoute(system, aptEntries = []) {
  if (system.platform === 'darwin') {
    return manual(null, 'Metal offers no device: update macOS, or leave the virtual machine that hides the GPU');
  }
  if (system.platform === 'win32') {
    return manual(null, "Direct3D 12 offers no device: update Windows and the graphics card's driver");
  }
  if (system.platform !== 'linux') return manual(null, `the webgpu package has no build for ${system.platform}`);
  if (system.apt) return aptRoute(system, aptEntries);
  const sudo = system.root ? '' : 'sudo ';
  const is = (...ids) => system.family.some((id) => ids.includes(id));
  if (is('alpine')) return manual(null, 'the webgpu package needs glibc, which Alpine does not have: use Debian 12 or later');
  const why = "no Vulkan driver that WebGPU can use; Mesa's software driver (24 or later) is one";
  if (is('fedora', 'rhel', 'centos')) return manual(`${sudo}dnf install -y mesa-vulkan-drivers vulkan-loader`, why);
  if (is('arch')) return manual(`${sudo}pacman -S --needed vulkan-swrast vulkan-icd-loader`, why);
  if (is('suse', 'opensuse')) return manual(`${sudo}zypper install -y libvulkan_lvp libvulkan1`, why);
  return manual(null, `${why}: install it and the Vulkan loader (libvulkan.so.1) with the system's package manager`);
}

function aptRoute(system, aptEntries) {
  const sudo = system.root ? '' : 'sudo ';
  const from = (suite) => `${sudo}apt-get update && ${sudo}apt-get install -y ${suite}${APT_MESA.join(' ')}`;
  const why = "no Vulkan driver that WebGPU can use; Mesa's software driver is one";
  const offer = (install, command) => ({ install: system.root ? install : null, command, why });
  const oldest = MESA_DIRECT[system.id];
  if (oldest === undefined || system.version >= oldest) {
    return offer({ packages: APT_MESA, suite: null, source: null }, from(''));
  }
  if (system.id !== 'debian' || system.version < 12) {
    return manual(null, `${system.name} has a Mesa older than the 24 that WebGPU needs: install Google Chrome, whose software adapter is used then, or a newer release of the system`);
  }
  const suite = `${system.codename}-backports`;
  if (hasBackports(aptEntries, system.codename)) {
    return offer({ packages: APT_MESA, suite, source: null }, from(`-t ${suite} `));
  }
  const source = backportsSource(aptEntries, system.codename);
  if (source === null) {
    return manual(null, `no APT source for ${system.codename} main is configured, from which to derive ${suite}: add ${suite} to APT's sources, then run this again`);
  }
  const add = source.line === null ? null : `echo '${source.line}' | ${sudo}tee /etc/apt/sources.list.d/graft-backports.list`;
  const command = add === null ? null : `${add} && ${from(`-t ${suite} `)}`;
  return offer({ packages: APT_MESA, suite, source }, command);
}

function manual(command, why) {
  return { install: null, command, why };
}

/** How a browser for the browser tests comes to this machine; as `adapterRoute`. */
export function browserRoute(system) {
  const why = 'no Chromium or Chrome was found; set CHROME_PATH when it is in an unusual place';
  const commands = {
    darwin: 'brew install --cask google-chrome', win32: 'winget install --exact --id Google.Chrome',
    snap: 'snap install chromium', apt: 'chromium', dnf: 'chromium', pacman: 'chromium', zypper: 'chromium',
  };
  return packageRoute(system, commands, why);
}

/** How a Firefox for its tests comes to this machine; as `adapterRoute`. */
export function firefoxRoute(system) {
  const why = 'no Firefox was found; set FIREFOX_PATH when it is in an unusual place';
  const commands = {
    darwin: 'brew install --cask firefox', win32: 'winget install --exact --id Mozilla.Firefox',
    snap: 'snap install firefox', apt: 'firefox-esr', dnf: 'firefox', pacman: 'firefox', zypper: 'MozillaFirefox',
  };
  return packageRoute(system, commands, why);
}

/** `names`: whole commands for the systems without packages of their own, else the package. */
function packageRoute(system, names, why) {
  const sudo = system.root ? '' : 'sudo ';
  if (system.platform === 'darwin' || system.platform === 'win32') return manual(names[system.platform], why);
  // Ubuntu's packages of browsers are stubs for snaps, which containers cannot run.
  if (system.apt && system.family.includes('ubuntu')) return manual(`${sudo}${names.snap}`, why);
  if (system.apt) {
    const install = { packages: [names.apt], suite: null, source: null };
    return { install: system.root ? install : null, command: `${sudo}apt-get update && ${sudo}apt-get install -y ${names.apt}`, why };
  }
  const is = (...ids) => system.family.some((id) => ids.includes(id));
  if (is('fedora', 'rhel', 'centos')) return manual(`${sudo}dnf install -y ${names.dnf}`, why);
  if (is('arch')) return manual(`${sudo}pacman -S --needed ${names.pacman}`, why);
  if (is('suse', 'opensuse')) return manual(`${sudo}zypper install -y ${names.zypper}`, why);
  return manual(null, why);
}

/** Where a Chromium or Chrome may lie on this platform, the likeliest first. */
export function browserCandidates(platform = process.platform, env = process.env) {
  const told = [env.CHROME_PATH, env.PUPPETEER_EXECUTABLE_PATH].filter((path) => path !== undefined && path !== '');
  if (platform === 'darwin') {
    const apps = ['Google Chrome', 'Chromium', 'Microsoft Edge'].map((app) => `/Applications/${app}.app/Contents/MacOS/${app}`);
    return [...told, ...apps, ...apps.map((app) => (env.HOME ?? '') + app)];
  }
  if (platform === 'win32') {
    const roots = [env.PROGRAMFILES, env['PROGRAMFILES(X86)'], env.LOCALAPPDATA].filter((root) => root !== undefined);
    const programs = ['Google\\Chrome\\Application\\chrome.exe', 'Chromium\\Application\\chrome.exe', 'Microsoft\\Edge\\Application\\msedge.exe'];
    return [...told, ...programs.flatMap((program) => roots.map((root) => `${root}\\${program}`))];
  }
  const names = ['chromium', 'google-chrome', 'google-chrome-stable', 'chromium-browser', 'microsoft-edge'];
  return [...told, ...onPath(names, env)];
}

/** Where a Firefox may lie on this platform, the likeliest first. */
export function firefoxCandidates(platform = process.platform, env = process.env) {
  const told = [env.FIREFOX_PATH].filter((path) => path !== undefined && path !== '');
  if (platform === 'darwin') {
    const apps = ['Firefox', 'Firefox Nightly'].map((app) => `/Applications/${app}.app/Contents/MacOS/firefox`);
    return [...told, ...apps, ...apps.map((app) => (env.HOME ?? '') + app)];
  }
  if (platform === 'win32') {
    const roots = [env.PROGRAMFILES, env['PROGRAMFILES(X86)'], env.LOCALAPPDATA].filter((root) => root !== undefined);
    return [...told, ...roots.map((root) => `${root}\\Mozilla Firefox\\firefox.exe`)];
  }
  return [...told, ...onPath(['firefox', 'firefox-esr', 'firefox-nightly'], env)];
}

function onPath(names, env) {
  const folders = [...(env.PATH ?? '').split(delimiter), '/usr/bin', '/snap/bin'].filter(Boolean);
  return names.flatMap((name) => folders.map((folder) => join(folder, name)));
}

/** Path of the first browser that exists and may be executed, or null. */
export function findBrowser(platform = process.platform, env = process.env) {
  return firstExecutable(browserCandidates(platform, env));
}

/** The same of Firefox. */
export function findFirefox(platform = process.platform, env = process.env) {
  return firstExecutable(firefoxCandidates(platform, env));
}

function firstExecutable(paths) {
  for (const path of paths) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not this one.
    }
  }
  return null;
}

/** Chromium's flags for WebGPU on its own software adapter. Elsewhere than on Linux the machine's own adapter is used. */
export function browserFlags(platform = process.platform) {
  const software = ['--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan', '--use-vulkan=swiftshader', '--disable-vulkan-surface'];
  return ['--enable-unsafe-webgpu', ...(platform === 'linux' ? software : [])];
}

/** Firefox's preferences for WebGPU on any adapter of the machine, software ones too; seen in 153. */
export function firefoxPreferences() {
  return { 'dom.webgpu.enabled': true, 'gfx.webgpu.ignore-blocklist': true };
}

/**
 * SwiftShader's driver file (for `VK_DRIVER_FILES`) that lies beside a Chromium on Linux, or null. It is the second
 * choice of a software adapter: several times slower than Mesa's.
 */
export function findSwiftshader(browser = findBrowser()) {
  if (process.platform !== 'linux') return null;
  const folders = ['/usr/lib/chromium', '/usr/lib64/chromium-browser', '/opt/google/chrome', '/opt/microsoft/msedge', '/snap/chromium/current/usr/lib/chromium-browser'];
  if (browser !== null) folders.unshift(dirname(realpathSync(browser)));
  for (const folder of folders) {
    const icd = join(folder, 'vk_swiftshader_icd.json');
    if (existsSync(icd) && existsSync(join(folder, 'libvk_swiftshader.so'))) return icd;
  }
  return null;
}
