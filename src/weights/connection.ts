/**
 * One request for a file: its answer, its bytes as they come, given up when nothing comes any more; and what to say when
 * it fails. For the browser and for Node.
 */

export interface ConnectOptions {
  readonly signal?: AbortSignal | undefined;
  /** A server that sends nothing for so long is given up, in milliseconds. Default 60,000. */
  readonly stallMs?: number | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Fetches `url` and hands over the answer with its chunks. The connection ends when `use` does.
 * @throws what fetch throws, what `use` throws, or an Error that says for how long nothing came.
 */
export async function connect<T>(
  url: string, { signal, stallMs = 60_000, headers = {} }: ConnectOptions,
  use: (response: Response, chunks: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  const stall = new AbortController();
  const giveUp = (): void => stall.abort(new Error(`nothing received for ${stallMs / 1000} s`));
  let timer = setTimeout(giveUp, stallMs);
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(giveUp, stallMs);
  };
  try {
    const response = await fetch(url, { signal: signal ? AbortSignal.any([signal, stall.signal]) : stall.signal, headers });
    heard();
    try {
      return await use(response, chunksOf(response, heard));
    } finally {
      if (!response.bodyUsed) await response.body?.cancel();
    }
  } finally {
    clearTimeout(timer);
  }
}

async function* chunksOf(response: Response, heard: () => void): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Where the bytes of a 206 answer begin, and how many the whole file has; undefined where the server does not show it. */
export function rangeOf(response: Response): { readonly start: number; readonly total: number | undefined } | undefined {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  return range ? { start: Number(range[1]), total: Number(range[2]) || undefined } : undefined;
}

/** Why a request failed, on one line. fetch() says only "fetch failed" in Node; what failed is its cause. */
export function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(inner instanceof Error)) return String(inner);
  const code = 'code' in inner && typeof inner.code === 'string' ? inner.code : '';
  return (code === 'ENOTFOUND' || code === 'EAI_AGAIN' ? `no network, or the server's name is unknown: ${code}` : inner.message || code).split('\n')[0];
}

/**
 * Why no answer came, as far as a page may know: browsers say "Failed to fetch" to everything. A request whose answer
 * the page may not read tells a server that does not allow the page from one that does not answer.
 */
export async function whyUnreachable(url: string, error: unknown): Promise<string> {
  if (typeof location === 'undefined') return reasonOf(error);
  if (navigator.onLine === false) return 'this device is offline; connect it and try again';
  const target = absolute(url);
  if (target === undefined) return `${reasonOf(error)}; check the address`;
  if (location.protocol === 'https:' && target.protocol === 'http:') return 'a page that came over https may not fetch over http; use an https address';
  if (target.origin === location.origin) return `${reasonOf(error)}; its server does not answer`;
  const answers = await fetch(target, { mode: 'no-cors', method: 'HEAD', signal: AbortSignal.timeout(10_000) }).then(() => true, () => false);
  return answers
    ? "its server does not allow pages of other sites to read it (CORS); download the file and give the file itself, or serve it from this page's own site"
    : `${reasonOf(error)}; its server cannot be reached: check the address and the connection`;
}

function absolute(url: string): URL | undefined {
  try {
    return new URL(url, location.href);
  } catch {
    return undefined;
  }
}
