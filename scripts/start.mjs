/**
 * `npm start`: sets up, builds, and runs the `graft` command in this process. Without arguments it runs the demo; with
 * arguments they are the command's own (`npm start -- finetune photos/ --model resnet18`).
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { reportSetupError, ROOT, setup } from './setup.mjs';

/** Commands that do without an adapter, and so must run where there is none: `doctor` says why there is none. */
const WITHOUT_ADAPTER = new Set(['doctor', 'inspect', 'convert', 'fetch', 'help', '--help', '-h', '--version', '-V']);

/**
 * One Ctrl-C reaches us twice where the shell steps aside: from the terminal, and again from npm, which passes signals
 * on. The command takes a second one for "stop at once", so the echo is dropped.
 */
function dropSignalEchoes() {
  const emit = process.emit;
  let last = -Infinity;
  process.emit = function (event, ...args) {
    if (event === 'SIGINT') {
      const now = performance.now();
      if (now - last < 300) return true;
      last = now;
    }
    return emit.call(this, event, ...args);
  };
}

const args = process.argv.slice(2);
try {
  const { env } = await setup({ adapter: !WITHOUT_ADAPTER.has(args[0]) });
  await build(ROOT);
  Object.assign(process.env, env);
  dropSignalEchoes();
  const cli = join(ROOT, 'dist', 'cli.js');
  // The command runs itself when it is the program, so it is made to look like it.
  process.argv = [process.execPath, cli, ...(args.length === 0 ? ['demo'] : args)];
  await import(pathToFileURL(cli).href);
} catch (error) {
  reportSetupError(error);
}
