/**
 * The network from image to classes. What is frozen is hatched and under a lock, what is trained is solid; between them
 * is a handle to drag. A click on a part trains from there on. Keys and screen readers have a slider for the same.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { BlockInfo } from '../../../shared/protocol';
import { ImageIcon, LockIcon } from '../../../ui/icons';
import { leastWidth, stageWidth, stagesOf, type Part, type Stage } from './parts';
import { planTitle } from './plans';

export interface DrawingProps {
  readonly blocks: readonly BlockInfo[];
  /** The first part that is trained. */
  readonly first: number;
  readonly disabled: boolean;
  readonly describedBy: string;
  /** While dragging, too. */
  readonly onMove: (first: number) => void;
}

export function Drawing({ blocks, first, disabled, describedBy, onMove }: DrawingProps) {
  const flow = useRef<HTMLDivElement>(null);
  const [dragging, setDragging] = useState(false);
  const [expanded, setExpanded] = useState<readonly string[]>([]);
  const last = blocks.length - 1;
  const stages = stagesOf(blocks, first, expanded);
  const [width, setWidth] = useState(Infinity);
  useEffect(() => {
    const observer = new ResizeObserver(([{ contentRect }]) => setWidth(contentRect.width / textScale()));
    if (flow.current) observer.observe(flow.current);
    return () => observer.disconnect();
  }, []);

  /** The boundary nearest to a point. */
  const boundaryAt = (x: number, y: number): number | null => {
    let best: { distance: number; first: number } | null = null;
    for (const element of flow.current?.querySelectorAll<HTMLElement>('[data-from]') ?? []) {
      const [from, to] = [Number(element.dataset['from']), Number(element.dataset['to'])];
      const box = element.getBoundingClientRect();
      const distance = Math.hypot(Math.max(box.left - x, 0, x - box.right), 2 * Math.max(box.top - y, 0, y - box.bottom));
      const share = Math.min(1, Math.max(0, (x - box.left) / box.width));
      if (best === null || distance < best.distance) best = { distance, first: Math.min(last, from + Math.round(share * (to - from))) };
    }
    return best?.first ?? null;
  };
  const down = (event: PointerEvent): void => {
    if (disabled || event.button !== 0) return;
    const target = event.target as HTMLElement;
    if (target.closest('.network-handle')) {
      event.preventDefault();
      flow.current?.setPointerCapture(event.pointerId);
      setDragging(true);
    }
  };
  const move = (event: PointerEvent): void => {
    if (!dragging) return;
    const place = boundaryAt(event.clientX, event.clientY);
    if (place !== null && place !== first) onMove(place);
  };
  const click = (event: MouseEvent): void => {
    const part = (event.target as HTMLElement).closest<HTMLElement>('[data-from]');
    if (disabled || !part) return;
    const [from, to] = [Number(part.dataset['from']), Number(part.dataset['to'])];
    const box = part.getBoundingClientRect();
    onMove(to - from === 1 ? from : from + Math.floor(Math.min(0.999, Math.max(0, (event.clientX - box.left) / box.width)) * (to - from)));
  };

  return (
    <div class={`network-drawing${width < leastWidth(stages) ? ' network-tall' : ''}${dragging ? ' network-dragging' : ''}${disabled ? ' network-locked' : ''}`}>
      <input
        type="range" class="network-slider" min={0} max={last} step={1} value={first} disabled={disabled}
        aria-label="Where training begins, from the image to the classes" aria-valuetext={`${planTitle(blocks, first)}: ${last + 1 - first} of ${last + 1} parts are trained`}
        aria-describedby={describedBy} onInput={({ currentTarget }) => onMove(Number(currentTarget.value))}
      />
      <div class="network-flow" ref={flow} aria-hidden="true" onPointerDown={down} onPointerMove={move} onPointerUp={() => setDragging(false)} onPointerCancel={() => setDragging(false)} onClick={click}>
        <span class="network-end"><ImageIcon /><small>image</small></span>
        {stages.map((stage) => <StageView key={stage.name} stage={stage} first={first} />)}
        <span class="network-end network-classes"><b class="number">{blocks[last].output[2]}</b><small>classes</small></span>
      </div>
      {stages.filter(({ long }) => long).map(({ name, count }) => (
        <button key={name} type="button" class="button plain small network-more" aria-expanded={expanded.includes(name)} onClick={() => setExpanded(expanded.includes(name) ? expanded.filter((one) => one !== name) : [...expanded, name])}>
          {expanded.includes(name) ? `Draw ${name} short` : `Draw all ${count} blocks of ${name}`}
        </button>
      ))}
    </div>
  );
}

/** How much larger than usual the reader has set the text. */
function textScale(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16 || 1;
}

function StageView({ stage: { name, parts, output, blocks, from, height }, first }: { readonly stage: Stage; readonly first: number }) {
  const to = from + blocks.length;
  const fate = first >= to ? 'frozen' : first <= from ? 'trained' : 'partly';
  return (
    <span class={`network-stage ${fate}`} style={{ flexGrow: Math.max(1.3, parts.length), minWidth: `${stageWidth(parts) / 16}rem`, '--height': height }}>
      <span class="network-blocks">
        {parts.map((part) => <PartView key={part.from} part={part} residual={name.startsWith('layer')} handle={part.from === first} trained={part.from >= first} />)}
      </span>
      <span class="network-caption">
        <b>{name}</b>
        <small>{name === 'head' ? <span>{output[2]} outputs</span> : <><span>{output[0]} x {output[1]}</span><span>{output[2]} channels</span></>}</small>
        <small class="network-fate">{fate === 'frozen' && <LockIcon size={12} />}{fate}</small>
      </span>
    </span>
  );
}

function PartView({ part: { from, to, title }, residual, handle, trained }: { readonly part: Part; readonly residual: boolean; readonly handle: boolean; readonly trained: boolean }) {
  return (
    <>
      {handle && <span class="network-handle" title="Drag: what is right of it is trained"><i /></span>}
      <span class={`network-part ${trained ? 'trained' : 'frozen'}${residual ? ' residual' : ''}`} data-from={from} data-to={to} title={title} style={to - from > 1 ? { flexGrow: 2, minWidth: '38px' } : undefined}>
        {to - from > 1 && <span class="network-many number">{to - from}</span>}
      </span>
    </>
  );
}
