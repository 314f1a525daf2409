// Set-up's decisions, without touching the system: APT's sources, what is installed how on which platform, whether the
// packages are those of the lock, and the line that npm test ends with.
import { mkdirSync, mkdtempSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isFresh } from '../scripts/build.mjs';
import { nodeProblem } from '../scripts/setup.mjs';
import { installArgs } from '../scripts/setup/apt.mjs';
import { npmCommand, packagesProblem } from '../scripts/setup/packages.mjs';
import { looksOffline } from '../scripts/setup/run.mjs';
import { summarise } from '../scripts/setup/summary.mjs';
import { backportsSource, hasBackports, parseDeb822, parseOneLine, readAptSources } from '../src/node/aptSources.mjs';
import { adapterRoute, browserCandidates, browserRoute, describeSystem, firefoxCandidates, firefoxRoute, type SystemFacts } from '../src/node/system.mjs';

const DEB822 = `# A comment
Types: deb
# Another, inside the stanza
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/archive.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
`;

const INLINE_KEY = `Types: deb deb-src
URIs: https://mirror.example/debian/
Suites: bookworm
Components: main
Architectures: amd64
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGPL
 -----END PGP PUBLIC KEY BLOCK-----
`;

describe('the source of backports', () => {
  it('is the deb822 entry of the release with another suite', () => {
    const source = backportsSource(parseDeb822(DEB822), 'bookworm');
    expect(source?.name).toBe('graft-backports.sources');
    expect(source?.text).toBe(
      'Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm-backports\nComponents: main\nSigned-By: /usr/share/keyrings/archive.gpg\n',
    );
    expect(source?.line).toBe('deb [signed-by=/usr/share/keyrings/archive.gpg] http://mirror.example/debian bookworm-backports main');
  });

  it('keeps a key that is written out, and other fields', () => {
    const source = backportsSource(parseDeb822(INLINE_KEY), 'bookworm');
    expect(source?.text).toBe(INLINE_KEY.replace('deb deb-src', 'deb').replace('Suites: bookworm', 'Suites: bookworm-backports'));
    expect(source?.line).toBeNull();
    expect(hasBackports(parseDeb822(source?.text ?? ''), 'bookworm')).toBe(true);
  });

  it('is the one-line entry of the release with another suite', () => {
    const entries = parseOneLine(
      '# deb http://old.example bookworm main\n\ndeb-src http://mirror.example/debian bookworm main\n' +
        'deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main non-free-firmware # note\n' +
        'deb http://mirror.example/security bookworm-security main\n',
    );
    expect(entries).toHaveLength(2);
    expect(backportsSource(entries, 'bookworm')).toEqual({
      name: 'graft-backports.list',
      text: 'deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm-backports main\n',
      line: 'deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm-backports main',
    });
  });

  it('is read from the files that APT reads, and from no others', () => {
    const folder = mkdtempSync(join(tmpdir(), 'graft-apt-'));
    mkdirSync(join(folder, 'sources.list.d'));
    const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
    write('sources.list', 'deb http://a.example bookworm main\n');
    write('sources.list.d/b.sources', DEB822);
    write('sources.list.d/c.list.disabled', 'deb http://c.example bookworm-backports main\n');
    const entries = readAptSources(folder);
    expect(entries.map((e) => e.uris[0])).toEqual(['http://a.example', 'http://mirror.example/debian', 'http://mirror.example/security']);
    expect(readAptSources(join(folder, 'none'))).toEqual([]);
  });

  it('follows the alias stable where the release is configured by it', () => {
    expect(backportsSource(parseOneLine('deb http://m.example oldstable main'), 'bookworm')?.text).toBe('deb http://m.example bookworm-backports main\n');
  });

  it('is none without an entry of the release', () => {
    expect(backportsSource(parseOneLine('deb http://m.example bookworm-security main'), 'bookworm')).toBeNull();
    expect(backportsSource(parseOneLine('deb http://m.example bookworm contrib'), 'bookworm')).toBeNull();
  });

  it('counts as there only when it is switched on', () => {
    const stanza = 'Types: deb\nURIs: http://m.example\nSuites: bookworm-backports\nComponents: main\n';
    expect(hasBackports(parseDeb822(stanza), 'bookworm')).toBe(true);
    expect(hasBackports(parseDeb822(`Enabled: no\n${stanza}`), 'bookworm')).toBe(false);
    expect(hasBackports(parseOneLine('# deb http://m.example bookworm-backports main'), 'bookworm')).toBe(false);
  });
});

const DEBIAN = (version: string, codename: string): string =>
  `PRETTY_NAME="Debian GNU/Linux ${version} (${codename})"\nID=debian\nVERSION_ID="${version}"\nVERSION_CODENAME=${codename}\n`;
const UBUNTU = (version: string): string => `PRETTY_NAME="Ubuntu ${version}"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="${version}"\n`;

function machine(facts: SystemFacts): ReturnType<typeof describeSystem> {
  return describeSystem({ platform: 'linux', arch: 'x64', uid: 0, hasApt: true, osRelease: '', ...facts });
}

describe('a software adapter', () => {
  const bookworm = { osRelease: DEBIAN('12', 'bookworm') };

  it('comes from backports on Debian 12 as root', () => {
    const { install } = adapterRoute(machine(bookworm), parseDeb822(DEB822));
    expect(install?.suite).toBe('bookworm-backports');
    expect(install?.source?.name).toBe('graft-backports.sources');
    expect(install && installArgs(install)).toEqual(expect.arrayContaining(['install', '-y', '-t', 'bookworm-backports', 'mesa-vulkan-drivers', 'libvulkan1']));
  });

  it('adds no source where backports are configured', () => {
    const entries = parseDeb822(`${DEB822}\nTypes: deb\nURIs: http://m.example\nSuites: bookworm-backports\nComponents: main\n`);
    expect(adapterRoute(machine(bookworm), entries).install).toMatchObject({ suite: 'bookworm-backports', source: null });
  });

  it('is a command to type without root, and runs nothing', () => {
    const route = adapterRoute(machine({ ...bookworm, uid: 1000 }), parseDeb822(DEB822));
    expect(route.install).toBeNull();
    expect(route.command).toBe(
      "echo 'deb [signed-by=/usr/share/keyrings/archive.gpg] http://mirror.example/debian bookworm-backports main' | sudo tee /etc/apt/sources.list.d/graft-backports.list" +
        ' && sudo apt-get update && sudo apt-get install -y -t bookworm-backports mesa-vulkan-drivers libvulkan1',
    );
  });

  it.each([
    ['Debian 13', DEBIAN('13', 'trixie')],
    ['Debian unstable', 'ID=debian\nVERSION_CODENAME=sid\n'],
    ['Ubuntu 24.04', UBUNTU('24.04')],
  ])('comes from the release itself on %s', (_, osRelease) => {
    expect(adapterRoute(machine({ osRelease })).install).toEqual({ packages: ['mesa-vulkan-drivers', 'libvulkan1'], suite: null, source: null });
  });

  it.each([
    ['Debian 11', DEBIAN('11', 'bullseye')],
    ['Ubuntu 22.04', UBUNTU('22.04')],
  ])('is not taken from the Mesa of %s, which is too old', (_, osRelease) => {
    const route = adapterRoute(machine({ osRelease }));
    expect(route).toMatchObject({ install: null, command: null });
    expect(route.why).toMatch(/older than the 24/);
  });

  it.each([
    ['fedora', 'sudo dnf install -y mesa-vulkan-drivers vulkan-loader'],
    ['arch', 'sudo pacman -S --needed vulkan-swrast vulkan-icd-loader'],
  ])('is a command of its own on %s', (id, command) => {
    expect(adapterRoute(machine({ osRelease: `ID=${id}\n`, hasApt: false, uid: 1000 })).command).toBe(command);
  });

  it('is refused with the reason where none can be had', () => {
    expect(adapterRoute(machine({ osRelease: 'ID=alpine\n', hasApt: false })).why).toMatch(/glibc/);
    expect(adapterRoute(machine({ platform: 'darwin' })).why).toMatch(/macOS/);
    expect(adapterRoute(machine({ platform: 'win32' })).why).toMatch(/driver/);
    expect(adapterRoute(machine(bookworm), []).why).toMatch(/bookworm-backports/);
  });
});

describe('a browser', () => {
  it('is installed on Debian as root, else named by a command', () => {
    expect(browserRoute(machine({ osRelease: DEBIAN('12', 'bookworm') })).install?.packages).toEqual(['chromium']);
    expect(browserRoute(machine({ osRelease: DEBIAN('12', 'bookworm'), uid: 1000 }))).toMatchObject({
      install: null,
      command: 'sudo apt-get update && sudo apt-get install -y chromium',
    });
    expect(browserRoute(machine({ osRelease: UBUNTU('24.04') })).install).toBeNull();
    expect(browserRoute(machine({ platform: 'darwin' })).command).toMatch(/^brew /);
  });

  it('of Mozilla is installed beside it, by the name it has on each system', () => {
    const debian = DEBIAN('12', 'bookworm');
    expect(firefoxRoute(machine({ osRelease: debian })).install?.packages).toEqual(['firefox-esr']);
    const command = (facts: SystemFacts): string | null => firefoxRoute(machine(facts)).command;
    expect(command({ osRelease: debian, uid: 1000 })).toBe('sudo apt-get update && sudo apt-get install -y firefox-esr');
    expect(command({ osRelease: UBUNTU('24.04') })).toMatch(/snap install firefox$/);
    expect(command({ osRelease: 'ID=fedora\n', hasApt: false, uid: 1000 })).toBe('sudo dnf install -y firefox');
    expect(command({ platform: 'win32' })).toBe('winget install --exact --id Mozilla.Firefox');
    expect(firefoxCandidates('linux', { FIREFOX_PATH: '/x/firefox', PATH: '/opt/bin' }).slice(0, 2)).toEqual(['/x/firefox', '/opt/bin/firefox']);
  });

  it('is looked for first where CHROME_PATH says', () => {
    expect(browserCandidates('linux', { CHROME_PATH: '/x/chrome', PATH: '/opt/bin' }).slice(0, 2)).toEqual(['/x/chrome', '/opt/bin/chromium']);
  });
});

describe('the packages', () => {
  const lock = {
    packages: {
      '': {},
      'node_modules/a': { version: '1.0.0', integrity: 'x' },
      'node_modules/a/node_modules/@s/b': { version: '2.0.0', integrity: 'y' },
      'node_modules/other-platform': { version: '1.0.0', optional: true },
    },
  };
  const installed = { 'node_modules/a': { version: '1.0.0', integrity: 'x' }, 'node_modules/a/node_modules/@s/b': { version: '2.0.0', integrity: 'y' } };

  it('are complete without the optional ones of other platforms', () => {
    expect(packagesProblem(lock, { packages: installed })).toBeNull();
  });

  it('are installed again when one is missing, differs, or npm never finished', () => {
    expect(packagesProblem(lock, null)).toBe('the packages are not installed');
    expect(packagesProblem(lock, { packages: { 'node_modules/a': installed['node_modules/a'] } })).toBe('@s/b is not installed');
    expect(packagesProblem(lock, { packages: { ...installed, 'node_modules/a': { version: '0.9.0', integrity: 'x' } } })).toBe('a is 0.9.0, and the lock names 1.0.0');
  });

  it('are installed by the npm that started set-up, else by the one on the PATH', () => {
    expect(npmCommand({ npm_execpath: '/n/bin/npm-cli.js' }, 'linux')).toEqual({ command: process.execPath, args: ['/n/bin/npm-cli.js'], shell: false });
    expect(npmCommand({ npm_execpath: '/y/yarn.js' }, 'linux')).toEqual({ command: 'npm', args: [], shell: false });
    expect(npmCommand({}, 'win32').shell).toBe(true);
  });

  it('need a Node that can build', () => {
    expect(['20.19.0', '20.20.2', '22.12.0', '24.1.0'].map(nodeProblem)).toEqual([null, null, null, null]);
    for (const version of ['18.20.0', '20.18.3', '21.7.0', '22.11.0']) expect(nodeProblem(version)).toContain(`Node ${version}`);
  });
});

it('tells an absent network from another trouble', () => {
  expect(looksOffline('npm error code ENOTFOUND')).toBe(true);
  expect(looksOffline("W: Failed to fetch x  Temporary failure resolving 'x'")).toBe(true);
  expect(looksOffline('E: Unable to locate package nope')).toBe(false);
});

describe('the build', () => {
  it('is fresh only when every output is there and as new as every source', () => {
    const root = mkdtempSync(join(tmpdir(), 'graft-build-'));
    for (const folder of ['src', 'dist']) mkdirSync(join(root, folder));
    for (const file of ['src/a.ts', 'dist/a.js']) writeFileSync(join(root, file), '');
    const at = (path: string, seconds: number): void => utimesSync(join(root, path), seconds, seconds);
    const fresh = (outputs = ['dist/a.js']): boolean => isFresh(root, outputs, ['src', 'absent.json']);
    at('src/a.ts', 100);
    at('src', 100);
    at('dist/a.js', 200);
    expect(fresh()).toBe(true);
    expect(fresh(['dist/a.js', 'dist/b.js'])).toBe(false);
    at('src/a.ts', 300);
    expect(fresh()).toBe(false);
    at('src/a.ts', 100);
    at('src', 300);
    expect(fresh()).toBe(false);
  });
});

describe('the closing line', () => {
  const file = (status: string, ...tests: string[]): { status: string; assertionResults: { status: string }[] } => ({
    status,
    assertionResults: tests.map((test) => ({ status: test })),
  });

  it('says what the report says', () => {
    const report = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 1, numTodoTests: 1, testResults: [file('passed', 'passed')] };
    expect(summarise(report, { status: 0 })).toEqual({ line: '3 passed, 0 failed, 2 skipped', ok: true });
  });

  it('counts files that did not load, checks before, and errors outside tests', () => {
    const report = { numPassedTests: 3, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0, testResults: [file('failed', 'failed'), file('failed')] };
    expect(summarise(report, { status: 1, failedBefore: 1 })).toEqual({ line: '3 passed, 3 failed', ok: false });
    expect(summarise({ ...report, numFailedTests: 0, testResults: [] }, { status: 1 })).toEqual({ line: '3 passed, 1 failed', ok: false });
  });

  it('is no success without a test', () => {
    expect(summarise(null, { status: 1 })).toEqual({ line: '0 passed, 1 failed', ok: false });
    expect(summarise({ numPassedTests: 0 }, { status: 0 }).ok).toBe(false);
  });
});
