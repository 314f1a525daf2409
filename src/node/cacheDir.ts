/** Where downloads and computed features are kept between runs. Node only. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * The user's cache folder for Graft, absolute; it may not exist yet. `GRAFT_CACHE` overrides the system's place:
 * `$XDG_CACHE_HOME/graft` or `~/.cache/graft`, `~/Library/Caches/graft` on macOS, `%LOCALAPPDATA%\graft\Cache` on Windows.
 */
export function cacheDir(environment: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): string {
  if (environment.GRAFT_CACHE) return resolve(environment.GRAFT_CACHE);
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'graft');
  if (platform === 'win32') return join(environment.LOCALAPPDATA || join(homedir(), 'AppData', 'Local'), 'graft', 'Cache');
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'graft');
}
