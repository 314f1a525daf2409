/** What plans would cost, asked of the worker a moment after something changed that they depend on. */
import { useEffect, useState } from 'preact/hooks';
import type { PlanCost } from '../../../shared/protocol';
import { asSentence } from '../../../ui/notices';
import { state, studio } from '../../session';

const PAUSE = 300; // milliseconds without a change

export interface Costs {
  readonly plans: ReadonlyMap<string, PlanCost>;
  /** What is known is of before the last change. */
  readonly stale: boolean;
  /** Why there are none. */
  readonly problem: string | null;
}

const NONE: Costs = { plans: new Map(), stale: true, problem: null };

/** `network` is whatever tells one base from another. While a run goes on, what was known stays. */
export function useCosts(plans: readonly string[], network: unknown): Costs {
  const [costs, setCosts] = useState<Costs>(NONE);
  const { plan: _plan, ...settings } = state.settings.value;
  const images = state.classes.value.map((one) => one.images.length);
  const busy = state.run.value.kind === 'running' || state.base.value.kind !== 'ready' || state.device.value.kind !== 'ready';
  useEffect(() => setCosts(NONE), [network]);
  useEffect(() => {
    if (busy) {
      setCosts((before) => ({ ...before, stale: false }));
      return;
    }
    let current = true;
    setCosts((before) => ({ ...before, stale: true }));
    const timer = setTimeout(() => {
      studio.planCosts(plans).then(
        (known) => current && setCosts({ plans: new Map(known.map((one) => [one.plan, one])), stale: false, problem: null }),
        (error: unknown) => current && setCosts({ ...NONE, stale: false, problem: asSentence(error) }),
      );
    }, PAUSE);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [network, busy, plans.join(' '), JSON.stringify(settings), images.join(' '), state.costs.value]);
  return costs;
}
