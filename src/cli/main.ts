#!/usr/bin/env node
/**
 * The `graft` command. Runs when this file is executed (or imported, as `npm start` does) and ends the process itself:
 * a live WebGPU instance would keep it alive.
 */
import { CommanderError } from 'commander';
import { GraftError, UsageError } from '../errors';
import { createProgram } from './program';
import { oneLine } from './terminal';

const debug = process.argv.includes('--debug');
// Wherever it stands on the command line, `--debug` is for the whole program.
const argv = process.argv.filter((argument) => argument !== '--debug');

/** One line on stderr; the exit status: 2 for wrong usage, else 1. */
function fail(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    process.stderr.write(`graft: ${commanderMessage(error)}\n`);
    return 2;
  }
  const known = error instanceof GraftError;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`graft: ${known ? '' : 'unexpected error: '}${oneLine(message)}${known || debug ? '' : ' (run it with --debug to see where)'}\n`);
  if (debug && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n${error.cause instanceof Error ? `caused by ${error.cause.stack ?? ''}\n` : ''}`);
  return error instanceof UsageError ? 2 : 1;
}

/** commander's message as ours: no `error:`, and its suggestion as a sentence. */
function commanderMessage({ message }: CommanderError): string {
  const [said, hint] = message.replace(/^error: /, '').split('\n');
  const suggestion = /^\(Did you mean (.+?)\?\)$/.exec(hint ?? '');
  if (suggestion) return `${said.replace(/\.$/, '')}. Did you mean '${suggestion[1].replace(/^one of /, '')}'?`;
  const command = /^unknown command|^-/.test(said) || argv[2].startsWith('-') ? '' : `${argv[2]} `;
  return `${said.replace(/\.$/, '')}; see 'graft ${command}--help'`;
}

async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  await new Promise<void>((resolve) => {
    if (stream.destroyed || stream.writableEnded) resolve();
    else stream.write('', () => resolve());
  });
}

async function main(): Promise<void> {
  // A reader that has seen enough (`graft inspect x | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  process.on('uncaughtException', (error) => process.exit(fail(error)));
  process.on('unhandledRejection', (error) => process.exit(fail(error)));
  let status = 0;
  try {
    const program = createProgram((value) => {
      status = value;
    });
    if (argv.length <= 2) program.outputHelp();
    else await program.parseAsync(argv);
  } catch (error) {
    if (process.stdout.isTTY) process.stdout.write('\r\u001b[2K');
    status = fail(error);
  }
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit(status);
}

void main();
