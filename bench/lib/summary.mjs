/** Figures from samples: what the terminal and the page show alike. */
import { median, pairwise } from './numbers.mjs';

/** Engines and variants of Graft, in the order of every table. `own`: Graft itself, which others are measured by. */
export const ENGINES = {
  graft: { title: 'Graft', own: true },
  'graft-eager': { title: 'Graft, eager', own: true, note: 'no capture and replay' },
  'graft-unchecked': { title: 'Graft, unchecked', own: true, note: "Dawn's bounds checks and validation off, as a web page cannot" },
  tfjs: { title: 'tfjs-webgpu' },
  jax: { title: 'jax-js' },
  ort: { title: 'onnxruntime' },
  torch: { title: 'PyTorch' },
  'torch-f16': { title: 'PyTorch, f16' },
};
export const isPeer = (name) => !ENGINES[name]?.own && !name.startsWith('torch');

export function spread(samples) {
  return { median: median(samples), least: Math.min(...samples), most: Math.max(...samples) };
}

/** The fastest sample: a ceiling is what was ever reached. */
export function ceilingsOf({ ceilings }) {
  return { fma: Math.max(...ceilings.fma), copy: Math.max(...ceilings.copy) };
}

/**
 * A kernel row: speed by engine in GFLOP/s, or GB/s where there is nothing to compute; its ceiling, which is the copy's
 * where operands come from memory faster than they can be multiplied; and how many times Graft is as fast as each peer,
 * and as the best of them in each round.
 */
export function kernelFigures(row, ceilings) {
  const work = row.operations || row.bytes;
  const unit = row.operations ? 'GFLOP/s' : 'GB/s';
  const ceiling = row.operations ? Math.min(ceilings.fma, (row.operations / row.bytes) * ceilings.copy) : ceilings.copy;
  const speeds = Object.fromEntries(Object.entries(row.ms).map(([name, ms]) => {
    const { median: middle, least, most } = spread(ms);
    return [name, { speed: work / middle / 1e6, slowest: work / most / 1e6, fastest: work / least / 1e6, ms: middle }];
  }));
  const own = row.ms.graft;
  const ratios = Object.fromEntries(Object.entries(row.ms).filter(([name]) => own && name !== 'graft').map(([name, ms]) => [name, pairwise(ms, own)]));
  return { unit, ceiling, share: own ? speeds.graft.speed / ceiling : null, speeds, ratios, best: bestPeer(row.ms) };
}

/** The peer of the smallest median, and the median over rounds of the fastest peer's time by Graft's. */
export function bestPeer(ms) {
  const peers = Object.keys(ms).filter(isPeer);
  if (!ms.graft || peers.length === 0) return null;
  const fastest = ms.graft.map((_, round) => Math.min(...peers.map((name) => ms[name][round] ?? Infinity)));
  const name = peers.reduce((a, b) => (median(ms[b]) < median(ms[a]) ? b : a));
  return { name, ratio: pairwise(fastest, ms.graft) };
}

/** Browsers leave the description empty. */
export const adapterTitle = ({ description, vendor, architecture }) => description || [vendor, architecture].filter(Boolean).join(' ');
/** The first that tells of itself, of those that a section's engines found. */
export const adapterOf = ({ adapters }) => Object.values(adapters).find((each) => each && adapterTitle(each) !== '');

export const timeText = (ms) => (ms >= 10_000 ? `${(ms / 1000).toFixed(1)} s` : ms >= 100 ? `${ms.toFixed(0)} ms` : ms >= 10 ? `${ms.toFixed(1)} ms` : `${ms.toFixed(2)} ms`);
export const speedText = (value) => (value >= 1000 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
export const ratioText = (value) => `${value >= 10 ? value.toFixed(1) : value.toFixed(2)}x`;
export const megabytes = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MB`;
