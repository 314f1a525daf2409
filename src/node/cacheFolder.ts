/** Where Graft keeps what it can make or fetch again: downloaded weights, computed features, tuning results. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `GRAFT_CACHE` where it is set, else the `graft` folder of the platform's place for caches. It may not exist yet. */
export function cacheFolder(
  env: Readonly<Record<string, string | undefined>> = process.env,
  platform: string = process.platform,
  home: string = homedir(),
): string {
  if (env.GRAFT_CACHE) return env.GRAFT_CACHE;
  if (platform === 'darwin') return join(home, 'Library', 'Caches', 'graft');
  if (platform === 'win32') return join(env.LOCALAPPDATA ?? join(home, 'AppData', 'Local'), 'graft', 'Cache');
  return join(env.XDG_CACHE_HOME || join(home, '.cache'), 'graft');
}
