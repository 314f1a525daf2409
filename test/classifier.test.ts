/** Classifiers from files: what does not fit is an error, and costs no memory. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bytesSource, classifierFrom, createModel, openGpu, openWeights, parseModelCard, type Classifier, type Gpu, type StateDict } from '../src/index';
import { serializeSafetensors } from '../src/weights/safetensors';
import { CLASSES, stripesClassifier } from './support/stripes';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

async function load(state: StateDict, options: { classes?: readonly string[]; card?: string } = {}): Promise<Classifier> {
  const file = await openWeights(bytesSource(serializeSafetensors(state), 'w.safetensors'));
  const { classes, card } = options;
  return classifierFrom(gpu, file, { name: 'w.safetensors', ...(classes && { classes }), ...(card && { card: parseModelCard(card, 'model.json') }) });
}

async function saved(): Promise<{ state: StateDict; card: string }> {
  const model = stripesClassifier(gpu);
  const state = await model.network.stateDict();
  const card = (await model.toFiles())['model.json'];
  model.dispose();
  return { state, card };
}

it('a file and its card give the classifier back', async () => {
  const { state, card } = await saved();
  const model = await load(state, { card });
  expect(model.classes).toEqual(CLASSES);
  expect(await model.network.stateDict()).toEqual(state);
  model.dispose();
});

it.each([
  ['a tensor is missing', (state: StateDict) => state.delete('layer2.0.bn1.bias'), {}, /missing layer2\.0\.bn1\.bias/],
  ['a tensor is missing beside the head', (state: StateDict) => ['fc.weight', 'fc.bias', 'bn1.bias'].forEach((name) => state.delete(name)), {}, /w\.safetensors: missing bn1\.bias/],
  ['a value is NaN', (state: StateDict) => (state.get('fc.bias')?.data as Float32Array).fill(NaN), {}, /1 tensors hold NaN/],
  ['there is one class', () => undefined, { classes: ['one'] }, /at least 2 classes/],
])('gives its memory back when %s', async (_, spoil, options, message) => {
  const { state } = await saved();
  spoil(state);
  const { liveBytes } = gpu.memory();
  await expect(load(state, options)).rejects.toThrow(message);
  expect(gpu.memory().liveBytes).toBe(liveBytes);
});

it("refuses another model's card", async () => {
  const { state, card } = await saved();
  const { liveBytes } = gpu.memory();
  const other = card.replace('"plain"', '"plain", "dotted"');
  await expect(load(state, { card: other })).rejects.toThrow(/has 3 outputs, but model\.json beside it names 4 classes/);
  await expect(load(state, { card: card.replace('"width": 4', '"width": 8') })).rejects.toThrow(/is of width 4, but model\.json beside it says 8/);
  expect(gpu.memory().liveBytes).toBe(liveBytes);
});

it('refuses a ResNeXt so narrow that its groups have no channels', () => {
  expect(() => createModel(gpu, 'resnext50_32x4d', { width: 8 })).toThrow(/too narrow for 32 groups; use a width of at least 16/);
});
