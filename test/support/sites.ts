/** Sites of a test's own, beside the one that serves the app. */
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';

export interface Site {
  readonly origin: string;
  close(): void;
}

export async function serve(send: (path: string, response: ServerResponse) => void): Promise<Site> {
  const server = createServer(({ url }, response) => send(new URL(url ?? '', 'http://site').pathname, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json' };

/** As any server of files does it. False where there is no such file. */
export function sendFile(path: string, response: ServerResponse, change = (script: string): string => script): boolean {
  const file = path.endsWith('/') ? `${path}index.html` : path;
  const found = statSync(file, { throwIfNoEntry: false })?.isFile() === true;
  response.writeHead(found ? 200 : 404, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' });
  response.end(!found ? '' : file.endsWith('.js') ? change(readFileSync(file, 'utf8')) : readFileSync(file));
  return found;
}
