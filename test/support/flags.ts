/** How a network is set, as plain data: what looking into it must leave alone. */
import type { Classifier } from '../../src/index';
import { BatchNorm2d } from '../../src/layers/batchNorm2d';

export function flags({ network }: Classifier): unknown {
  const modules = [...network.modules()].map(([path, module]) => [path, module.training, ...(module instanceof BatchNorm2d ? [module.normaliseBy, module.updateStatistics] : [])]);
  const parameters = [...network.namedParameters()].map(([name, { requiresGrad, grad }]) => [name, requiresGrad, grad === undefined]);
  return { modules, parameters, recompute: network.recompute };
}
