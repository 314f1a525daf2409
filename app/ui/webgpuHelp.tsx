/** What to say where there is no WebGPU: the exact reason, which browsers have it, and what still works. */
import type { ComponentChildren } from 'preact';
import { WarningIcon } from './icons';
import { asSentence } from './notices';
import './webgpuHelp.css';

interface Browser {
  readonly name: string;
  /** Of a user agent; the first that fits is taken. */
  readonly agent: RegExp;
  readonly has: readonly ComponentChildren[];
}

/**
 * From the WebGPU community group's implementation status (as of April 2026), MDN's compatibility data and the
 * browsers' issue trackers (as of July 2026).
 */
const ESTABLISHED = 'July 2026';
const BROWSERS: readonly Browser[] = [
  {
    name: 'Firefox', agent: /Firefox\//,
    has: [
      'Windows: from 141.',
      'macOS on Apple silicon: from 145 on macOS 26, from 147 on older ones.',
      <>Linux: set <code>dom.webgpu.enabled</code> to true in <code>about:config</code> and load the page again, or use Nightly. Where it then finds no GPU, set <code>gfx.webgpu.ignore-blocklist</code> too: so it also takes the processor, which is slow. Seen in 153.</>,
    ],
  },
  {
    name: 'Chrome, Edge and others built on Chromium', agent: /Chrome\/|Chromium\//,
    has: [
      'Windows, macOS and ChromeOS: from 113.',
      'Android 12 and newer: from 121 on ARM, Qualcomm and Intel GPUs; Android 16 with Imagination GPUs: from 139.',
      <>Linux: from 144 on Intel GPUs (Gen12 and newer), from 147 on NVIDIA (driver 535.183.01 and newer). On others start the browser with <code>--enable-unsafe-webgpu --ozone-platform=x11 --use-angle=vulkan --enable-features=Vulkan,VulkanFromANGLE</code>.</>,
      <>Windows on ARM: switch on <code>chrome://flags/#enable-unsafe-webgpu</code>.</>,
    ],
  },
  { name: 'Safari', agent: /Safari\//, has: ['macOS, iOS, iPadOS and visionOS: from 26.'] },
];

export interface WebGpuHelpProps {
  /** What was seen, as the engine tells it. */
  readonly reason: string;
  /** What still can be done on this page. */
  readonly works?: ComponentChildren;
}

export function WebGpuHelp({ reason, works }: WebGpuHelpProps) {
  const mine = BROWSERS.find(({ agent }) => agent.test(navigator.userAgent));
  return (
    <section class="webgpu-help" id="no-webgpu" aria-labelledby="no-webgpu-title">
      <h2 id="no-webgpu-title"><WarningIcon size={22} />There is no WebGPU here</h2>
      <p><strong>What was seen:</strong> {asSentence(reason)} {whatIsWrong()}</p>
      {works !== undefined && <p><strong>What still works:</strong> {works}</p>}
      <details open={!('gpu' in navigator)}>
        <summary>Which browsers have it</summary>
        <dl>
          {BROWSERS.map((browser) => (
            <div key={browser.name}>
              <dt>{browser.name}{browser === mine && <span class="webgpu-mine">this browser</span>}</dt>
              {browser.has.map((line, i) => <dd key={i}>{line}</dd>)}
            </div>
          ))}
        </dl>
        <p class="quiet">As documented by {ESTABLISHED}; newer versions may have it in more places.</p>
      </details>
    </section>
  );
}

/** What the page itself can tell of the cause. */
function whatIsWrong(): string {
  if (!isSecureContext) return `Browsers give WebGPU only to pages over https or on localhost; this one is at ${location.origin}. Open it over https, or on localhost.`;
  if (!('gpu' in navigator)) return 'This browser does not offer WebGPU (navigator.gpu is missing): it is too old, or it is switched off.';
  return 'Switch graphics acceleration on in its settings, bring the graphics driver up to date, and start it again. In Chrome and Edge, chrome://gpu tells more; in Firefox, about:support.';
}
