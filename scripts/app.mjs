/**
 * `npm run app`: sets up, builds the web app as far as it is out of date, serves it, and prints its address.
 * `npm run build:app`: builds it only, into dist-app/. Options:
 *
 *   --dev          serve the sources instead, rebuilt on every change
 *   --port N       default 5173; another free one where it is taken
 *   --host NAME    default localhost; WebGPU needs https under any other name
 *   --build        build, do not serve
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildApp } from './build.mjs';
import { SetupError } from './setup/run.mjs';
import { reportSetupError, ROOT, setup } from './setup.mjs';

async function main() {
  const { values } = parse();
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new SetupError(`--port takes a whole number from 0 to 65535, not '${values.port}'.`);
  await setup({ adapter: false });
  const { createServer, preview } = await import('vite');
  const configFile = join(ROOT, 'app', 'vite.config.ts');
  if (!values.dev) await buildApp(ROOT);
  if (values.build) {
    console.log('dist-app/ holds the app: static files, for any host and any path (over https, which WebGPU needs).');
    return;
  }
  const where = { port, host: values.host };
  const server = values.dev
    ? await (await createServer({ configFile, server: where, logLevel: 'warn' })).listen()
    : await preview({ configFile, preview: where, logLevel: 'warn' });
  console.log(`Graft is at ${server.resolvedUrls.local[0] ?? server.resolvedUrls.network[0]} (Ctrl-C ends it).`);
}

function parse() {
  try {
    return parseArgs({ options: {
      dev: { type: 'boolean', default: false },
      build: { type: 'boolean', default: false },
      port: { type: 'string', default: '5173' },
      host: { type: 'string', default: 'localhost' },
    } });
  } catch (error) {
    throw new SetupError(`${error.message.split('\n')[0]} Known: --dev, --build, --port N, --host NAME.`);
  }
}

await main().catch(reportSetupError);
