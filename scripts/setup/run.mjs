/** Runs a program, keeping its output for the case that it fails. */
import { spawn } from 'node:child_process';

/**
 * A reason why set-up cannot go on, in one line for the terminal. `output`: what a program printed, shown above it;
 * `offline`: the network was the trouble, so nothing else can be downloaded either.
 */
export class SetupError extends Error {
  constructor(message, { output = '', offline = false } = {}) {
    super(message);
    this.output = output;
    this.offline = offline;
  }
}

/** `{ status, output }`: exit status (127 where the program could not be started), stdout and stderr together. */
export function run(command, args, { cwd, env = {}, shell = false } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      shell,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => resolve({ status: 127, output: `${output}${error.message}\n` }));
    child.on('close', (code, signal) => resolve({ status: code ?? 1, output: signal === null ? output : `${output}ended by ${signal}\n` }));
  });
}

/** The last `count` lines of a program's output, indented. */
export function tail(output, count = 20) {
  return output.trimEnd().split('\n').slice(-count).map((line) => `  ${line}`).join('\n');
}

/** Whether a program's output says that the network, rather than anything it asked for, was the trouble. */
export function looksOffline(output) {
  return /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|Temporary failure resolving|Could not resolve|Could not connect|Network is unreachable|Connection timed out|Connection failed|Unable to connect/i.test(output);
}
