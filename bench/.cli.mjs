import { createServer } from 'vite';
const server = await createServer({ configFile: false, logLevel: 'error', server: { middlewareMode: true, hmr: false, ws: false }, appType: 'custom' });
const { createProgram } = await server.ssrLoadModule('/src/cli/program.ts');
const program = createProgram((n) => { process.exitCode = n; });
try { await program.parseAsync(['node', 'graft', ...process.argv.slice(2)]); } catch (e) { console.log(String(e.message)); }
await server.close(); process.exit();
