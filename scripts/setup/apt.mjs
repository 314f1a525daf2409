/** Installs Debian packages, waiting for another APT where one runs, and mending what an interrupted one left behind. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { looksOffline, run, SetupError, tail } from './run.mjs';

const ENV = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l', LC_ALL: 'C' };
const LOCKED = /Could not get lock|Unable to lock|Unable to acquire the dpkg|is another process using it/i;
const INTERRUPTED = /dpkg was interrupted|dpkg --configure -a/i;
const BROKEN = /fix-broken install|unmet dependencies.*\n?.*fix-broken/i;
const WAIT_MS = 300_000;

/** The arguments of `apt-get` that install `packages`, from the release `suite` where it is not null. */
export function installArgs({ packages, suite }) {
  const from = suite === null ? [] : ['-t', suite];
  return ['install', '-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...from, ...packages];
}

/** The steps of an installation as commands, for `--dry-run`. */
export function installSteps(install) {
  const { source } = install;
  const add = source === null ? [] : [`write ${sourcePath(source)}:\n${source.text.trimEnd().replace(/^/gm, '    ')}`];
  return [...add, 'apt-get update', `apt-get ${installArgs(install).join(' ')}`];
}

function sourcePath(source) {
  return join('/etc/apt/sources.list.d', source.name);
}

/** Runs apt-get; where another process holds APT's locks, waits up to five minutes for it. */
async function aptGet(args, log) {
  const end = Date.now() + WAIT_MS;
  let told = false;
  for (let mended = false; ; ) {
    const result = await run('apt-get', args, { env: ENV });
    if (result.status === 0) return result;
    if (LOCKED.test(result.output) && Date.now() < end) {
      if (!told) log('Another program is using APT; waiting for it to end.');
      told = true;
      await sleep(3000);
    } else if (!mended && INTERRUPTED.test(result.output)) {
      mended = true;
      await run('dpkg', ['--configure', '-a', '--force-confold'], { env: ENV });
    } else if (!mended && BROKEN.test(result.output)) {
      mended = true;
      await run('apt-get', ['install', '-y', '-f', '-o', 'DPkg::Lock::Timeout=300'], { env: ENV });
    } else return result;
  }
}

/**
 * Adds the source where the plan has one, refreshes the lists and installs. A source that was added and does not help
 * is taken away again, so that a failure leaves APT as it was. Throws `SetupError`.
 */
export async function aptInstall(install, log) {
  const { source, packages } = install;
  if (source !== null) {
    const path = sourcePath(source);
    // APT reads only names that end in .list or .sources, so a file half written under another is not seen.
    writeFileSync(`${path}.new`, source.text, { mode: 0o644 });
    renameSync(`${path}.new`, path);
  }
  // A source of somebody else's that fails to refresh is no reason to stop: what we need may still be there.
  const update = await aptGet(['update'], log);
  const result = await aptGet(installArgs(install), log);
  if (result.status === 0) return;
  if (source !== null) rmSync(sourcePath(source), { force: true });
  const output = update.output + result.output;
  if (looksOffline(output)) {
    throw new SetupError(`${packages.join(' and ')} could not be downloaded: APT's sources cannot be reached. Connect to the network, then run this again.`, { offline: true });
  }
  if (LOCKED.test(result.output)) {
    throw new SetupError(`Another program has held APT's lock for ${WAIT_MS / 60_000} minutes. When it has ended, run this again.`);
  }
  throw new SetupError(`apt-get could not install ${packages.join(' and ')}; its last lines are above. Mend that, then run this again.`, { output: tail(output) });
}
