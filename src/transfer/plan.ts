/** Which part of a network is trained, and the options a plan brings along. */
import { UsageError, suggest } from '../errors';
import { checkAugmentation } from '../data/augment';
import { BatchNorm2d } from '../layers/batchNorm2d';
import { matching } from '../layers/module';
import type { ResNet } from '../models/resnet';
import { checkOptimizer, type OptimizerOptions } from '../optim/optimizer';
import { scheduleName } from '../optim/schedule';
import { precisionName } from './precision';
import type { FineTuneOptions, Recipe } from './types';

/** Fills in the defaults. @throws UsageError for a value out of range. */
export function recipeOf(options: FineTuneOptions): Recipe {
  const { plan = 'head', schedule = 'cosine', labelSmoothing = 0, clipNorm = null, augment = null, patience = 10, seed = 0, precision = 'float32' } = options;
  const head = plan === 'head';
  const { epochs = head ? 20 : 10, batchSize = 32, bn = plan === 'full' ? 'update' : 'hold' } = options;
  const whole = { epochs, batchSize, seed, patience };
  for (const [name, value] of Object.entries(whole)) {
    const least = name === 'seed' || name === 'patience' ? 0 : 1;
    if (!Number.isInteger(value) || value < least) throw new UsageError(`fineTune: ${name} must be a whole number of at least ${least}, got ${value}`);
  }
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) throw new UsageError(`fineTune: labelSmoothing must be at least 0 and below 1, got ${labelSmoothing}`);
  if (clipNorm !== null && !(clipNorm > 0)) throw new UsageError(`fineTune: clipNorm must be positive, got ${clipNorm}`);
  if (bn !== 'hold' && bn !== 'update') throw new UsageError(`fineTune: bn is 'hold' or 'update', got '${String(bn)}'.${suggest(String(bn), ['hold', 'update'])}`);
  if (augment !== null) checkAugmentation(augment);
  const { microBatch, memoryBudget, checkpointEvery } = options;
  if (microBatch !== undefined && (!Number.isInteger(microBatch) || microBatch < 1)) throw new UsageError(`fineTune: microBatch must be a whole number of at least 1, got ${microBatch}`);
  if (memoryBudget !== undefined && !(memoryBudget > 0)) throw new UsageError(`fineTune: memoryBudget must be a positive number of bytes, got ${memoryBudget}`);
  if (checkpointEvery !== undefined && !(checkpointEvery >= 0)) throw new UsageError(`fineTune: checkpointEvery must be a number of seconds, 0 or more, got ${checkpointEvery}`);
  checkPlanName(plan);
  const optimizer = { name: 'adamw', lr: head ? 1e-2 : 1e-3, ...options.optimizer } as OptimizerOptions;
  checkOptimizer(optimizer);
  return { plan, ...whole, optimizer, schedule: scheduleName(schedule), labelSmoothing, clipNorm, bn, augment, precision: precisionName(precision) };
}

/** Plans that need no network to be understood, and the stages every ResNet has. */
const STAGES = ['head', 'full', 'conv1', 'bn1', 'layer1', 'layer2', 'layer3', 'layer4', 'fc'];

/** Tells a misspelt plan before weights are downloaded for it. Names within a stage are the network's to know. */
function checkPlanName(plan: string): void {
  const [stage] = plan.split('.');
  if (!STAGES.includes(stage) && !/[*?]/.test(plan)) throw unknownPlan(plan, STAGES);
}

function unknownPlan(plan: string, known: Iterable<string>): UsageError {
  return new UsageError(`no plan or layer is called '${plan}'.${suggest(plan, known)}`);
}

/** @throws UsageError for a plan that names no part of the network. */
export function checkPlan(network: ResNet, plan: string): void {
  firstTrained(network, plan);
}

/**
 * Freezes all that comes before the plan's part and sets the batch norms.
 * @throws UsageError for a plan that names no part of the network.
 */
export function applyPlan(network: ResNet, { plan, bn }: Pick<Recipe, 'plan' | 'bn'>): void {
  const first = firstTrained(network, plan);
  for (const [i, parameter] of network.parameters().entries()) parameter.requiresGrad = i >= first;
  for (const norm of batchNorms(network)) norm.hold(bn === 'hold');
}

/** Position, among the network's parameters, of the first that the plan trains. */
function firstTrained(network: ResNet, plan: string): number {
  if (plan === 'full') return 0;
  const names = [...network.namedParameters()].map(([name]) => name);
  if (plan === 'head') return names.indexOf('fc.weight');
  try {
    return names.indexOf(matching(plan, names)[0]);
  } catch {
    const parts = names.map((name) => name.split('.').slice(0, name.startsWith('layer') ? 2 : 1).join('.'));
    const stages = names.map((name) => name.split('.')[0]);
    throw unknownPlan(plan, new Set(['head', 'full', ...stages, ...parts]));
  }
}

export function batchNorms(network: ResNet): BatchNorm2d[] {
  return [...network.modules()].map(([, module]) => module).filter((module) => module instanceof BatchNorm2d);
}

/** True when the trunk never changes, so that its features can be computed once. */
export function trunkIsFrozen(network: ResNet): boolean {
  const trained = [...network.namedParameters()].filter(([, parameter]) => parameter.requiresGrad);
  return trained.every(([name]) => name.startsWith('fc.')) && batchNorms(network).every((norm) => norm.mode === 'running');
}

/** Whether a run trains on features of the trunk, computed once: where it never changes, nor do the images. */
export function trainsOnFeatures(network: ResNet, { augment }: Pick<Recipe, 'augment'>): boolean {
  return augment === null && trunkIsFrozen(network);
}

/** Whether a part that is trained normalises by the batch in training mode, which the network is left in. */
export function normalisesByBatch(network: ResNet): boolean {
  network.train();
  return batchNorms(network).some((norm) => norm.mode === 'batch');
}

/** Batch norms that hold their statistics in training, and all of them. Leaves the network in evaluation mode. */
export function heldNorms(network: ResNet): { held: number; total: number } {
  network.train();
  const norms = batchNorms(network);
  const held = norms.filter((norm) => !norm.updates).length;
  network.eval();
  return { held, total: norms.length };
}

/** Names of the parameters and statistics that training can change. */
export function changingNames(network: ResNet): Set<string> {
  const trained = [...network.namedParameters()].filter(([, parameter]) => parameter.requiresGrad).map(([name]) => name);
  const statistics = [...network.namedBuffers()].map(([name]) => name);
  return new Set([...trained, ...(trunkIsFrozen(network) ? [] : statistics)]);
}
