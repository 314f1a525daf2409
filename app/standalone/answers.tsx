/** What a picture is taken for: the likeliest class large, the rest as bars. */
import { useState } from 'preact/hooks';
import { percent } from '../../src/report/format';
import type { Answer } from './model';

/** Bars shown before one asks for all. */
const SHOWN = 5;

export function Answers({ answers }: { readonly answers: readonly Answer[] }) {
  const [all, setAll] = useState(false);
  const [first] = answers;
  return (
    <div class="answers">
      <p class="answers-first"><b>{first.name}</b> <span class="number">{percent(first.probability)}</span></p>
      <ol class="answers-list">
        {answers.slice(0, all ? undefined : SHOWN).map(({ name, probability }) => (
          <li key={name}>
            <span class="answers-name">{name}</span>
            <span class="answers-track" aria-hidden="true"><span style={{ width: `${(probability * 100).toFixed(3)}%` }} /></span>
            <span class="number">{percent(probability)}</span>
          </li>
        ))}
      </ol>
      {answers.length > SHOWN && <button type="button" class="button small" onClick={() => setAll(!all)} aria-expanded={all}>{all ? `Only the first ${SHOWN}` : `All ${answers.length} classes`}</button>}
    </div>
  );
}
