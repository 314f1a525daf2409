/** What the chosen plan costs, large; and beside it what the others would, so that the price of going deeper is seen. */
import type { BlockInfo, PlanCost } from '../../../shared/protocol';
import { bytes } from '../../../../src/report/format'; // as Train and the report tell what a run took
import type { Costs } from './costs';
import { comparedPlans, parametersFrom, planFrom, planTitle } from './plans';

export interface PricesProps {
  readonly blocks: readonly BlockInfo[];
  readonly first: number;
  readonly costs: Costs;
  readonly disabled: boolean;
  readonly onChoose: (first: number) => void;
}

export function Prices({ blocks, first, costs, disabled, onChoose }: PricesProps) {
  const all = parametersFrom(blocks, 0);
  const trained = parametersFrom(blocks, first);
  const cost = costs.plans.get(planFrom(blocks, first));
  return (
    <div class={costs.stale ? 'network-prices network-stale' : 'network-prices'}>
      <dl class="network-figures">
        <div><dt>Trained parameters</dt><dd class="number">{shortCount(trained)}<small>{shareOf(trained, all)} of {shortCount(all)}</small></dd></div>
        <div><dt>GPU memory</dt><dd class="number">{cost ? bytes(cost.memoryBytes) : '…'}<small>while training</small></dd></div>
        <div><dt>Expected time</dt><dd class={cost && cost.seconds !== null ? 'number' : 'network-unknown'}>{!cost ? '…' : cost.seconds === null ? 'not known yet' : cost.seconds < 1 ? 'under 1 s' : `about ${roughTime(cost.seconds)}`}<small>{cost?.seconds === null ? 'this GPU was not timed yet' : cost?.rough ? 'a rough guess, before any run here' : 'for the whole run'}</small></dd></div>
      </dl>
      {costs.problem !== null && <p class="network-problem" role="status">Memory and time could not be worked out. {costs.problem}</p>}
      <table class="network-table">
        <caption class="hidden-text">What each depth of training costs</caption>
        <thead><tr><th scope="col">Train</th><th scope="col">Parameters</th><th scope="col">Memory</th><th scope="col">Time</th></tr></thead>
        <tbody>
          {comparedPlans(blocks, first).map((place) => (
            <Row key={place} title={planTitle(blocks, place)} trained={parametersFrom(blocks, place)} all={all} cost={costs.plans.get(planFrom(blocks, place))} most={mostBytes(costs)} chosen={place === first} disabled={disabled} onChoose={() => onChoose(place)} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  readonly title: string;
  readonly trained: number;
  readonly all: number;
  readonly cost: PlanCost | undefined;
  readonly most: number;
  readonly chosen: boolean;
  readonly disabled: boolean;
  readonly onChoose: () => void;
}

function Row({ title, trained, all, cost, most, chosen, disabled, onChoose }: RowProps) {
  return (
    <tr class={chosen ? 'chosen' : undefined}>
      <th scope="row"><button type="button" disabled={disabled && !chosen} aria-pressed={chosen} onClick={onChoose}>{title}</button></th>
      <td><Bar share={trained / all} />{shortCount(trained)}</td>
      <td><Bar share={cost ? cost.memoryBytes / most : 0} />{cost ? bytes(cost.memoryBytes) : '…'}</td>
      <td>{!cost ? '…' : cost.seconds === null ? <><span aria-hidden="true">–</span><span class="hidden-text">not known yet</span></> : roughTime(cost.seconds)}</td>
    </tr>
  );
}

function Bar({ share }: { readonly share: number }) {
  return <span class="network-bar" aria-hidden="true"><span style={{ width: `${Math.max(1, share * 100)}%` }} /></span>;
}

function mostBytes({ plans }: Costs): number {
  return Math.max(1, ...[...plans.values()].map(({ memoryBytes }) => memoryBytes));
}

/** `under 1 s`, `35 s`, `3 min`, `1 h 10 min`: an estimate has no more digits than that. */
function roughTime(seconds: number): string {
  if (seconds < 1) return 'under 1 s';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** `1,539`, `8.4 million` as `8.4 M`. */
function shortCount(value: number): string {
  return value < 10_000 ? value.toLocaleString('en') : value < 999_500 ? `${Math.round(value / 1000)} k` : `${(value / 1e6).toFixed(1)} M`;
}

function shareOf(part: number, all: number): string {
  const percent = (100 * part) / all;
  return part === all ? 'all' : `${percent < 0.1 ? percent.toFixed(2) : percent < 10 ? percent.toFixed(1) : Math.round(percent)} %`;
}
