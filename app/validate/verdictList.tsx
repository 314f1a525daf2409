/** The verdicts: one a line, the worst tensor beside it, all tensors on request; filtered and searched. */
import { useComputed, useSignal } from '@preact/signals';
import { worstCheck, type Check, type Verdict } from '../../src/validate/verdict';
import { CheckIcon, ChevronRightIcon, CloseIcon, WarningIcon } from '../ui/icons';
import { Field } from '../ui/field';
import { Segmented } from '../ui/segmented';
import { counts, verdicts } from './state';

type Filter = 'all' | 'pass' | 'fail' | 'error';

/** More lines than anyone reads; the rest is found by searching. */
const MOST_LINES = 1000;

export function VerdictList() {
  const filter = useSignal<Filter>('all');
  const query = useSignal('');
  const shown = useComputed(() => {
    const words = query.value.toLowerCase().split(/\s+/).filter(Boolean);
    return verdicts.value.filter(({ name, op, status, message = '' }) => (filter.value === 'all' || status === filter.value) && words.every((word) => `${name} ${op} ${message}`.toLowerCase().includes(word)));
  });
  const { pass, fail, error } = counts.value;
  return (
    <>
      <div class="validate-filters">
        <Segmented<Filter>
          legend="Show" hideLegend value={filter.value} onChange={(value) => { filter.value = value; }}
          options={[
            { value: 'all', label: `All ${verdicts.value.length}` }, { value: 'pass', label: `Passed ${pass}` }, { value: 'fail', label: `Failed ${fail}` }, { value: 'error', label: `Not run ${error}` },
          ]}
        />
        <Field label="Search">{(props) => <input class="input" type="search" placeholder="conv2d stride" {...props} value={query.value} onInput={(event) => { query.value = event.currentTarget.value; }} />}</Field>
      </div>
      {shown.value.length === 0 && <p class="quiet">No verdict is of this kind.</p>}
      <ul class="validate-list">{shown.value.slice(0, MOST_LINES).map((verdict, i) => <Line key={`${i} ${verdict.name}`} verdict={verdict} />)}</ul>
      {shown.value.length > MOST_LINES && <p class="quiet">And {shown.value.length - MOST_LINES} more: search for them.</p>}
    </>
  );
}

const WORDS = { pass: 'passed', fail: 'failed', error: 'could not be run' } as const;

function Line({ verdict }: { readonly verdict: Verdict }) {
  const { name, op, status, message } = verdict;
  const worst = worstCheck(verdict);
  return (
    <li class={`validate-line ${status}`}>
      <details>
        <summary>
          <span class="validate-chevron"><ChevronRightIcon size={16} /></span>
          <span class="validate-status">{status === 'pass' ? <CheckIcon size={18} /> : status === 'fail' ? <CloseIcon size={18} /> : <WarningIcon size={18} />}<span class="hidden-text">{WORDS[status]}: </span></span>
          <span class="validate-name">{name}</span>
          <span class="validate-op quiet">{op}</span>
          <span class="validate-error number">{worst ? `${errorText(worst)} of ${boundText(worst, verdict)}` : ''}</span>
          {message !== undefined && <span class="validate-message">{message}</span>}
          {status === 'fail' && worst && <span class="validate-message number">{worst.tensor} [{worst.index.join(', ')}]: {valueText(worst.got)}, expected {valueText(worst.want)}</span>}
        </summary>
        <Checks verdict={verdict} />
      </details>
    </li>
  );
}

function Checks({ verdict }: { readonly verdict: Verdict }) {
  if (verdict.checks.length === 0) return <p class="quiet validate-none">Nothing was compared.</p>;
  return (
    <div class="validate-scroll" tabIndex={0} role="region" aria-label={`Tensors of ${verdict.name}`}>
      <table>
        <thead><tr><th scope="col">tensor</th><th scope="col">error</th><th scope="col">bound</th><th scope="col">worst at</th><th scope="col">got</th><th scope="col">expected</th></tr></thead>
        <tbody>
          {verdict.checks.map((check) => (
            <tr key={check.tensor} class={check.pass ? '' : 'fail'}>
              <th scope="row">{check.tensor}{!check.pass && <span class="validate-wrong"> failed</span>}</th>
              <td>{errorText(check)}</td><td>{boundText(check, verdict)}</td>
              <td>[{check.index.join(', ')}]</td><td>{valueText(check.got)}</td><td>{valueText(check.want)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const errorText = ({ error }: Check): string => (error === 0 ? '0' : Number.isFinite(error) ? error.toExponential(1) : 'not finite');
const boundText = ({ bound }: Check, { loosened }: Verdict): string => (bound === 0 ? 'exact' : `${bound.toExponential(0)}${loosened ? ' (loosened)' : ''}`);
const valueText = (value: number): string => (Number.isFinite(value) ? String(Number(value.toPrecision(7))) : String(value));
