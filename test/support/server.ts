/** Serves the repository to a browser as it stands: TypeScript and shaders are transformed on the way. */
import { resolve } from 'node:path';
import { createServer, type ViteDevServer } from 'vite';

/** `origin` is `http://127.0.0.1:PORT`; the caller closes the server. */
export async function serveRepository(): Promise<{ server: ViteDevServer; origin: string }> {
  const server = await createServer({
    configFile: false, root: resolve('.'), logLevel: 'error',
    server: { port: 0, host: '127.0.0.1', watch: null, hmr: false }, optimizeDeps: { noDiscovery: true },
  });
  await server.listen();
  const address = server.httpServer?.address();
  return { server, origin: `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}` };
}
