/**
 * The template of the page that classifies offline, as `files/standalone.html`: style sheet and script inside, with
 * marks where an export puts title, facts and weights. Its policy lets nothing out and runs this one script.
 */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { build, type Plugin, type Rollup } from 'vite';

const SOURCE = resolve(import.meta.dirname, '../standalone');
const NAME = 'files/standalone.html';

export function standalonePage(): Plugin {
  return {
    name: 'graft-standalone-page',
    configureServer({ middlewares }) {
      middlewares.use((request, response, next) => {
        if (request.url?.replace(/[?#].*$/, '') !== `/${NAME}`) return next();
        template().then((html) => {
          response.setHeader('Content-Type', 'text/html');
          response.end(html);
        }, next);
      });
    },
    async generateBundle() {
      // Of the builds for page and worker, only the page's writes it.
      if (this.environment.config.isWorker) return;
      this.emitFile({ type: 'asset', fileName: NAME, source: await template() });
    },
  };
}

/** Builds the page and puts it into one file. */
export async function template(): Promise<string> {
  const built = await build({
    configFile: false,
    root: SOURCE,
    base: './',
    publicDir: false,
    logLevel: 'warn',
    plugins: [leanShaders()],
    define: { 'process.env.NODE_ENV': '"production"' },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      write: false,
      target: 'es2022',
      cssCodeSplit: false,
      chunkSizeWarningLimit: 2000,
      // As a library of one script, it gets no helpers for parts that are loaded later: there are none.
      lib: { entry: resolve(SOURCE, 'main.tsx'), formats: ['iife'], name: 'graftPage', fileName: 'page', cssFileName: 'page' },
    },
  }) as Rollup.RollupOutput | Rollup.RollupOutput[];
  const { output } = Array.isArray(built) ? built[0] : built;
  const chunks = output.filter((file) => file.type === 'chunk');
  const styles = output.filter((file) => file.type === 'asset' && file.fileName.endsWith('.css'));
  if (chunks.length !== 1 || styles.length !== 1 || output.length !== 2) {
    throw new Error(`the stand-alone page must be one script and one style sheet, not ${output.map(({ fileName }) => fileName).join(', ')}`);
  }
  return pageOf(inScript(chunks[0].code), String((styles[0] as Rollup.OutputAsset).source));
}

function pageOf(script: string, style: string): string {
  const policy = [
    "default-src 'none'", `script-src '${hash(script)}'`, `style-src '${hash(style)}'`, 'img-src blob: data:', 'media-src blob:', "base-uri 'none'", "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer"><meta name="generator" content="Graft">
<link rel="icon" href="data:,"><title><!--graft:title--></title><style>${style}</style></head>
<body><div id="app"><noscript>This page computes in your browser, so it needs JavaScript.</noscript></div>
<!--graft:data--><script>${script}</script></body></html>
`;
}

/** Code that nothing in it ends early: in strings, a backslash before the slash changes nothing. */
function inScript(code: string): string {
  const safe = code.trim().replace(/<\/(script)/gi, '<\\/$1').replaceAll('<!--', '\\x3c!--');
  // Browsers hash the text with line feeds only.
  return safe.replaceAll('\r\n', '\n');
}

function hash(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

/**
 * Shaders without comments and with one space of indentation: a page that travels needs no more. One space stays, since
 * declarations that begin a line are the ones that the engine may rewrite.
 */
function leanShaders(): Plugin {
  return {
    name: 'graft-lean-shaders',
    enforce: 'post',
    transform(code, id) {
      if (!/\.wgsl\?raw$/.test(id)) return null;
      const text: unknown = JSON.parse(code.replace(/^export default /, '').replace(/;?\s*$/, ''));
      if (typeof text !== 'string') throw new Error(`${id} is no text`);
      const lean = text.replace(/\/\/[^\n]*/g, '').split('\n').map((line) => line.trimEnd().replace(/^\s+/, ' ')).filter((line) => line !== '').join('\n');
      return { code: `export default ${JSON.stringify(lean)}`, map: null };
    },
  };
}
