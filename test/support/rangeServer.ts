/** A server on this machine that has one file, knows ranges, and misbehaves in the way a test asks for. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect } from 'vitest';
import { GraftError } from '../../src/errors';

export const BODY = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) % 253);
export const HASH = createHash('sha256').update(BODY).digest('hex');

export interface RangeServer {
  origin: string;
  /** Of each request the range that it asked for. */
  requests: (string | undefined)[];
  answer: (request: IncomingMessage, response: ServerResponse) => void;
}

/** A new one for each test of the file or of the `describe` that this is called in; it answers with `serveRange` until told otherwise. */
export function rangeServer(): RangeServer {
  const site: RangeServer = { origin: '', requests: [], answer: serveRange };
  let server: Server;
  beforeEach(async () => {
    site.requests = [];
    site.answer = serveRange;
    server = createServer((request, response) => {
      site.requests.push(request.headers.range);
      site.answer(request, response);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    site.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return site;
}

const partHeaders = (from: number): Record<string, string | number> =>
  ({ 'content-length': BODY.length - from, ...(from > 0 && { 'content-range': `bytes ${from}-${BODY.length - 1}/${BODY.length}` }) });

export function serveRange({ headers }: IncomingMessage, response: ServerResponse): void {
  const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
  if (from >= BODY.length) response.writeHead(416, { 'content-range': `bytes */${BODY.length}` }).end();
  else response.writeHead(from > 0 ? 206 : 200, partHeaders(from)).end(BODY.subarray(from));
}

/** Sends the first bytes and breaks off, when they have arrived. */
export function breakAfter(bytes: number, response: ServerResponse, from = 0): void {
  response.writeHead(from > 0 ? 206 : 200, partHeaders(from));
  response.write(BODY.subarray(from, from + bytes), () => setTimeout(() => response.destroy(), 50));
}

/** Much faster than `toEqual`. */
export function expectBody(bytes: Uint8Array): void {
  expect(Buffer.compare(bytes, BODY)).toBe(0);
}

/** What it fails with: an error of Graft's, in one line. */
export async function failure(promise: Promise<unknown>, kind: typeof GraftError = GraftError): Promise<string> {
  const error: unknown = await promise.then(() => undefined, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(kind);
  expect((error as Error).message).not.toContain('\n');
  return (error as Error).message;
}
