/** How deep to train, on a drawing of the network, with what each depth costs. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { BaseInfo } from '../../shared/protocol';
import { Choice } from '../../ui/choice';
import { LockIcon } from '../../ui/icons';
import { Note } from '../../ui/note';
import { attempt } from '../../ui/notices';
import { Section } from '../../ui/section';
import { state, studio } from '../session';
import { useCosts } from './network/costs';
import { Drawing } from './network/drawing';
import { comparedPlans, firstTrained, planFrom, suggested, withClasses } from './network/plans';
import { Prices } from './network/prices';
import './network.css';

export function NetworkSection() {
  const base = state.base.value;
  const project = state.project.value.id;
  // While another base is loaded, the one before stays on view, so that nothing jumps.
  const drawn = useRef<{ readonly project: string; readonly info: BaseInfo } | null>(null);
  if (base.kind === 'ready' && base.info.blocks.length > 1) drawn.current = { project, info: base.info };
  else if (base.kind !== 'loading' || drawn.current?.project !== project) drawn.current = null;
  const info = drawn.current?.info;
  const locked = lockedBecause();
  return (
    <Section id="network" title="Network" lead={info && (locked === null ? 'A frozen part stays as it is; a trained one learns your classes. Click a part to train from there on.' : <span class="network-lock"><LockIcon size={16} />{locked}</span>)}>
      {info ? <Chosen info={info} locked={locked !== null} /> : <p class="quiet">{base.kind === 'loading' ? 'The network is drawn here when the base is loaded.' : 'Choose a base, and its network is drawn here, with what training each part of it costs.'}</p>}
    </Section>
  );
}

type Preset = 'head' | 'layer4' | 'full';

function Chosen({ info, locked }: { readonly info: BaseInfo; readonly locked: boolean }) {
  const { title } = info;
  const blocks = withClasses(info.blocks, state.classes.value);
  const { plan } = state.settings.value;
  // Where the handle is until the worker has heard of it.
  const [draft, setDraft] = useState<number | null>(null);
  const first = Math.min(draft ?? firstTrained(blocks, plan), blocks.length - 1);
  useEffect(() => setDraft(null), [plan, info]);
  // Two keys can be pressed between two drawings: what was asked for last counts, not what is drawn.
  const asked = useRef(first);
  asked.current = first;
  const run = state.run.value;
  const choose = (place: number): void => {
    if (locked || place === asked.current) return;
    asked.current = place;
    setDraft(place);
    void attempt(async () => studio.setSettings({ plan: planFrom(blocks, place) })).then(() => setDraft((now) => (now === place ? null : now)));
  };
  const costs = useCosts(comparedPlans(blocks, first).map((place) => planFrom(blocks, place)), info);
  const advice = suggested(state.classes.value);
  const preset = (['head', 'layer4', 'full'] as const).find((one) => firstTrained(blocks, one) === first) ?? null;
  const option = (value: Preset, name: string, text: string) => ({
    value, text, disabled: locked, title: <>{name}{advice?.plan === value && <span class="suggested">suggested</span>}</>,
  });
  return (
    <>
      {run.kind === 'interrupted' && <Note>{run.anew ?? 'A run was broken off and can go on under Train. With another choice here, training begins anew.'}</Note>}
      <div class="network-presets"><Choice<Preset>
        legend="How much to train" value={preset} onChange={(value) => choose(firstTrained(blocks, value))}
        options={[
          option('head', 'Head only', 'Only a new last layer learns. Quick, and the safest with few pictures.'),
          option('layer4', 'Last stage', 'The most abstract features adapt too: for pictures unlike the base’s.'),
          option('full', 'Everything', 'All layers adapt: for many pictures, and time.'),
        ]}
      /></div>
      {advice && <p class="quiet network-advice">{advice.text}</p>}
      <Spoken info={{ blocks, title }} first={first} />
      <Drawing blocks={blocks} first={first} disabled={locked} describedBy="network-spoken" onMove={choose} />
      <Prices blocks={blocks} first={first} costs={costs} disabled={locked} onChoose={choose} />
    </>
  );
}

/** Why the plan cannot be changed now, or null. */
function lockedBecause(): string | null {
  if (state.run.value.kind === 'running') return 'Locked while training goes on. Stop it to train another part.';
  if (state.base.value.kind === 'loading') return 'Locked while another base is loaded.';
  return null;
}

/** The drawing in words. */
function Spoken({ info: { blocks, title }, first }: { readonly info: Pick<BaseInfo, 'blocks' | 'title'>; readonly first: number }) {
  const stages = [...new Set(blocks.map(({ stage }) => stage))].map((name) => {
    const own = blocks.flatMap((block, i) => (block.stage === name ? [{ ...block, trained: i >= first }] : []));
    const trained = own.filter((block) => block.trained).length;
    const [height, width, channels] = own[own.length - 1].output;
    const fate = trained === 0 ? 'frozen' : trained === own.length ? 'trained' : `the last ${trained} of ${own.length} blocks trained`;
    return name === 'head' ? `head, ${channels} classes, ${fate}` : `${name}, ${own.length === 1 ? own[0].title : `${own.length} blocks`}, ${height} by ${width} with ${channels} channels, ${fate}`;
  });
  return <p class="hidden-text" id="network-spoken">{title}, from the image to the classes: {stages.join('; ')}.</p>;
}
