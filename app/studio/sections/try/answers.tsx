/** What a picture is taken for: the verdict large, the likeliest classes as bars. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { percent } from '../../../../src/report/format';
import { steadyTop, verdict, type Share } from './steady';

const SHOWN = 5;
/** Milliseconds that an answer stands before it is read out. */
const SETTLED = 1200;

export interface AnswersProps {
  readonly shares: readonly Share[];
  /** `12 ms`, and what else there is to say. */
  readonly aside: string;
  /** Of a camera: keep the order unless one class has clearly passed another. */
  readonly live?: boolean;
}

export function Answers({ shares, aside, live }: AnswersProps) {
  const order = useRef<readonly string[]>([]);
  const top = steadyTop(live ? order.current : [], shares, SHOWN);
  order.current = top.map(({ name }) => name);
  const said = verdict(shares);
  const spoken = useSignal('');
  const words = said ? (said.unsure ? `Unsure, perhaps ${said.name}` : said.name) : '';
  useEffect(() => {
    const timer = setTimeout(() => { spoken.value = words; }, SETTLED);
    return () => clearTimeout(timer);
  }, [words]);
  return (
    <div class="try-answers">
      {said && (
        <p class={`try-verdict${said.unsure ? ' unsure' : ''}`}>
          {said.unsure ? <><b>Unsure</b> <span>perhaps {said.name}, {percent(said.probability)}</span></> : <><b>{said.name}</b> <span class="number">{percent(said.probability)}</span></>}
        </p>
      )}
      <ol class="try-bars" role="list">
        {top.map(({ name, probability }) => (
          <li key={name}>
            <span class="try-name" title={name}>{name}</span>
            <span class="try-track" aria-hidden="true"><span style={{ transform: `scaleX(${probability.toFixed(4)})` }} /></span>
            <span class="number">{percent(probability)}</span>
          </li>
        ))}
      </ol>
      <p class="quiet try-aside number">{aside}</p>
      <p class="hidden-text" role="status">{spoken.value}</p>
    </div>
  );
}
