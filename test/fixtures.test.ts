/** Every fixture of test/fixtures passes, and fixtures broken on purpose fail or are refused, each with its reason. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import type { Gpu } from '../src/gpu/gpu';
import type { HostTensor } from '../src/hostTensor';
import { openFile } from '../src/node/fileSource';
import { bytesSource } from '../src/weights/byteSource';
import { openWeights } from '../src/weights/open';
import { serializeSafetensors } from '../src/weights/safetensors';
import { readAll, type WeightsFile } from '../src/weights/weightsFile';
import { validateFixture } from '../src/validate/validate';
import { exitCode, formatVerdicts, verdictsToJson, type Verdict } from '../src/validate/verdict';

const ROOT = 'test/fixtures';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());

async function open(name: string): Promise<WeightsFile> {
  return openWeights(await openFile(join(ROOT, name)));
}

async function validate(name: string): Promise<Verdict> {
  const file = await open(name);
  try {
    return await validateFixture(gpu, file, name);
  } finally {
    await file.close();
  }
}

for (const folder of ['ops', 'optim', 'train', 'logits']) {
  describe(`test/fixtures/${folder}`, () => {
    for (const file of readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.safetensors'))) {
      it(file, async () => {
        const verdict = await validate(`${folder}/${file}`);
        expect(verdict.status, formatVerdicts([verdict])).toBe('pass');
        expect(verdict.checks.length).toBeGreaterThan(0);
      });
    }
  });
}

it('leaves no memory behind', async () => {
  await validate('ops/conv2d_3x3_bias.safetensors');
  await validate('train/resnet18_w4_head_update_adamw.safetensors');
  const { liveBytes } = gpu.memory();
  for (let i = 0; i < 3; i++) {
    await validate('ops/conv2d_3x3_bias.safetensors');
    await validate('train/resnet18_w4_head_update_adamw.safetensors');
  }
  expect(gpu.memory().liveBytes).toBe(liveBytes);
});

type Tensors = Map<string, HostTensor>;

/** The fixture `name` with its tensors and metadata changed by `edit`. */
async function altered(name: string, edit: (tensors: Tensors, metadata: Record<string, string>) => void): Promise<Verdict> {
  const file = await open(name);
  const tensors = new Map([...(await readAll(file))].map(([key, tensor]) => [key, { ...tensor, data: tensor.data.slice() }]));
  const metadata = { ...file.metadata };
  await file.close();
  edit(tensors, metadata);
  return validateFixture(gpu, openWeights(bytesSource(serializeSafetensors(tensors, { metadata }), 'altered.safetensors')), 'altered');
}

function get(tensors: Tensors, name: string): HostTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`no ${name}`);
  return tensor;
}

function setArgs(metadata: Record<string, string>, change: Record<string, unknown>): void {
  metadata.args = JSON.stringify({ ...(JSON.parse(metadata.args) as object), ...change });
}

const CONV = 'ops/conv2d_3x3_bias.safetensors';
const TRAIN = 'train/resnet18_w4_layer4_update_adamw.safetensors';
const SAMPLED = 'train/resnet18_w4_layer2_frozen_update_sgd.safetensors';

describe('a fixture that is wrong fails', () => {
  it('by one value, and says where', async () => {
    const verdict = await altered(CONV, (tensors) => {
      const { shape, data } = get(tensors, 'output');
      const [, c, h, w] = shape;
      data[((0 * c + 2) * h + 1) * w + 3] = 1e3;
    });
    expect(verdict.status).toBe('fail');
    const [output, ...rest] = verdict.checks;
    expect(output).toMatchObject({ tensor: 'output', pass: false, index: [0, 2, 1, 3], want: 1e3 });
    expect(rest.every(({ pass }) => pass)).toBe(true);
  });
  it('by a gradient a thousandth off', async () => {
    const verdict = await altered(CONV, (tensors) => {
      const { data } = get(tensors, 'grad_weight');
      const top = (data as Float32Array).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      (data as Float32Array)[5] += top * 1e-3;
    });
    expect(verdict.checks.filter(({ pass }) => !pass).map(({ tensor }) => tensor)).toEqual(['grad_weight']);
  });
  it('by a NaN that has moved', async () => {
    const verdict = await altered('ops/max_pool2d_nan.safetensors', (tensors) => {
      const data = get(tensors, 'output').data as Float32Array;
      const at = data.findIndex(Number.isNaN);
      const other = data.findIndex(Number.isFinite);
      [data[at], data[other]] = [data[other], data[at]];
    });
    expect(verdict.status).toBe('fail');
    expect(verdict.checks[0]).toMatchObject({ tensor: 'output', pass: false, error: Infinity });
  });
  it('by an infinity of the other sign', async () => {
    const verdict = await altered('ops/relu_nan_infinity.safetensors', (tensors) => {
      const data = get(tensors, 'output').data as Float32Array;
      data[data.indexOf(Infinity)] = -Infinity;
    });
    expect(verdict.checks[0]).toMatchObject({ tensor: 'output', pass: false, got: Infinity, want: -Infinity });
  });
  it('by a running statistic', async () => {
    const verdict = await altered('ops/batch_norm_training.safetensors', (tensors) => {
      (get(tensors, 'running_var_after').data as Float32Array)[1] *= 1.01;
    });
    expect(verdict.checks.filter(({ pass }) => !pass).map(({ tensor }) => tensor)).toEqual(['running_var_after']);
  });
  it('by a loss', async () => {
    const verdict = await altered(TRAIN, (tensors) => {
      (get(tensors, 'losses').data as Float32Array)[2] *= 1.01;
    });
    expect(verdict.checks.filter(({ pass }) => !pass)).toMatchObject([{ tensor: 'losses', index: [2] }]);
  });
  it('by a frozen parameter that was trained after all', async () => {
    const verdict = await altered(SAMPLED, (tensors) => {
      const running = get(tensors, 'after.layer2.0.bn1.running_mean').data as Float32Array;
      running[0] += 1;
    });
    expect(verdict.checks.filter(({ pass }) => !pass).map(({ tensor }) => tensor)).toEqual(['after.layer2.0.bn1.running_mean']);
    expect(verdict.checks.some(({ tensor, bound }) => tensor === 'frozen layer2.0.conv1.weight' && bound === 0)).toBe(true);
  });
  it('by the number of batches', async () => {
    const verdict = await altered(TRAIN, (tensors) => {
      tensors.set('after.layer4.0.bn1.num_batches_tracked', { dtype: 'I64', shape: [], data: BigInt64Array.of(7n) });
    });
    expect(verdict.checks.filter(({ pass }) => !pass)).toMatchObject([{ got: 3, want: 7, bound: 0 }]);
  });
  it('by one value of a sample, whose index is the whole tensor\'s', async () => {
    const name = 'layer4.1.conv2.weight';
    let flat = 0;
    const verdict = await altered(SAMPLED, (tensors, metadata) => {
      flat = 10 * (JSON.parse(metadata.args) as { sample_stride: Record<string, number> }).sample_stride[name];
      (get(tensors, `after_sample.${name}`).data as Float32Array)[10] = 50;
    });
    const [bad] = verdict.checks.filter(({ pass }) => !pass);
    expect(bad.want).toBe(50);
    expect(bad.index).toEqual([Math.floor(flat / 288), Math.floor(flat / 9) % 32, Math.floor(flat / 3) % 3, flat % 3]);
  });
});

describe('a fixture that cannot be run is an error', () => {
  const cases: [string, string, (tensors: Tensors, metadata: Record<string, string>) => void, RegExp][] = [
    ['an argument is missing', CONV, (t) => t.delete('weight'), /'weight' is missing/],
    ['the output is missing', CONV, (t) => t.delete('output'), /'output' is missing/],
    ['grad_output is missing', CONV, (t) => t.delete('grad_output'), /'grad_output' is missing/],
    ['grad_output is for nothing', CONV, (t) => ['input', 'weight', 'bias'].forEach((n) => t.delete(`grad_${n}`)), /does not use 'grad_output'/],
    ['a tensor nobody checks', CONV, (t) => t.set('grad_wieght', get(t, 'grad_weight')), /does not use 'grad_wieght'/],
    ['an argument nobody reads', CONV, (_, m) => setArgs(m, { padding_mode: 'reflect' }), /'padding_mode'/],
    ['an argument of the wrong type', CONV, (_, m) => setArgs(m, { stride: 'two' }), /args\.stride must be \[height, width\], got "two"/],
    ['a pooling without kernel', 'ops/max_pool2d_2x2.safetensors', (_, m) => setArgs(m, { kernel_size: null }), /args\.kernel_size is missing/],
    ['an unknown op', CONV, (_, m) => { m.op = 'conv2'; }, /no operation is called 'conv2'\. Did you mean 'conv2d'\?/],
    ['an op named like a method', CONV, (_, m) => { m.op = 'constructor'; }, /no operation is called 'constructor'/],
    ['no op', CONV, (_, m) => { delete m.op; }, /no 'op'/],
    ['no format', CONV, (_, m) => { delete m.format; }, /not a fixture/],
    ['another format', CONV, (_, m) => { m.format = 'graft-fixture-9'; }, /format 'graft-fixture-9'/],
    ['args that are not JSON', CONV, (_, m) => { m.args = '{'; }, /args is not JSON/],
    ['args that are a list', CONV, (_, m) => { m.args = '[]'; }, /args must be a JSON object/],
    ['a tolerance that is no number', CONV, (_, m) => { m.tolerance = 'loose'; }, /tolerance 'loose'/],
    ['another dtype', CONV, (t) => t.set('input', { ...get(t, 'input'), dtype: 'I32', data: Int32Array.from(get(t, 'input').data as Float32Array) }), /'input' is I32; it must be F32/],
    ['another rank', CONV, (t) => t.set('input', { ...get(t, 'input'), shape: [get(t, 'input').data.length] }), /input must be \[N, C, H, W\]/],
    ['groups that do not divide', CONV, (_, m) => setArgs(m, { groups: 3 }), /group/],
    ['a stride that gives another output', CONV, (_, m) => setArgs(m, { stride: [2, 2] }), /fit|give/],
    ['a class that does not exist', 'ops/cross_entropy_10_classes.safetensors', (t) => { (get(t, 'target').data as BigInt64Array)[1] = 10n; }, /target\[1\].*is 10.*0 to 9/],
    ['a class below zero', 'ops/cross_entropy_10_classes.safetensors', (t) => { (get(t, 'target').data as BigInt64Array)[0] = -100n; }, /is -100/],
    ['statistics without their variance', 'ops/batch_norm_eval.safetensors', (t) => t.delete('running_var'), /running_mean' and 'running_var'/],
    ['training without statistics after', 'ops/batch_norm_training.safetensors', (t) => t.delete('running_var_after'), /'running_var_after' is missing/],
    ['a trained parameter unchecked', TRAIN, (t) => t.delete('after.fc.weight'), /'after.fc.weight' is missing/],
    ['statistics unchecked', TRAIN, (t) => t.delete('after.bn1.running_mean'), /'after.bn1.running_mean' is missing/],
    ['a weight missing', TRAIN, (t) => t.delete('state.layer1.0.conv1.weight'), /missing layer1.0.conv1.weight/],
    ['no targets', TRAIN, (t) => t.delete('targets'), /'targets' is missing/],
    ['an unknown network', TRAIN, (_, m) => setArgs(m, { arch: 'resnet81' }), /Did you mean 'resnet18'/],
    ['an unknown optimizer', TRAIN, (_, m) => setArgs(m, { optimizer: { name: 'adam', lr: 1 } }), /args\.optimizer\.name is 'adam'/],
    ['everything frozen', TRAIN, (_, m) => setArgs(m, { freeze: [''] }), /leaves no parameter/],
    ['another formula', SAMPLED, (_, m) => setArgs(m, { state: { formula: 'x', seed: 1 } }), /args\.state\.formula is 'x'/],
    ['a formula and weights', SAMPLED, (t) => t.set('state.fc.bias', get(t, 'after.fc.bias')), /must be one of them/],
    ['a sample without its stride', SAMPLED, (_, m) => setArgs(m, { sample_stride: {} }), /sample_stride\.\S+ is missing/],
    ['nothing to check', 'logits/resnet18.safetensors', (t, m) => { setArgs(m, { inputs: {} }); t.clear(); }, /nothing to check/],
    ['gradients of another size', 'optim/adamw.safetensors', (t) => t.set('param', { dtype: 'F32', shape: [2], data: new Float32Array(2) }), /param must be \[n\]/],
  ];
  for (const [what, name, edit, message] of cases) {
    it(what, async () => {
      const verdict = await altered(name, edit);
      expect(verdict.status, formatVerdicts([verdict])).toBe('error');
      expect(verdict.message).toMatch(message);
      expect(verdict.message).not.toContain('\n');
    });
  }
  it('a file that cannot be read', async () => {
    const verdict = await validateFixture(gpu, openWeights(bytesSource(new Uint8Array(20), 'zeros.safetensors')), 'zeros');
    expect(verdict).toMatchObject({ name: 'zeros', op: '', status: 'error' });
  });
  it('a file cut short', async () => {
    const whole = serializeSafetensors({ input: { dtype: 'F32', shape: [2], data: new Float32Array(2) } });
    const verdict = await validateFixture(gpu, openWeights(bytesSource(whole.subarray(0, whole.length - 4), 'cut.safetensors')), 'cut');
    expect(verdict.message).toMatch(/truncated/);
  });
});

describe('other ways to write a fixture', () => {
  it('arguments left out have PyTorch\'s defaults, and null is left out', async () => {
    const verdict = await altered('ops/conv2d_3x3_valid_odd.safetensors', (_, m) => {
      const { stride, padding, dilation, groups } = JSON.parse(m.args) as Record<string, unknown>;
      expect([stride, padding, dilation, groups]).toEqual([[1, 1], [0, 0], [1, 1], 1]);
      m.args = JSON.stringify({ stride: 1, padding: null });
    });
    expect(verdict.status, verdict.message).toBe('pass');
  });
  it('only some gradients, or none', async () => {
    const some = await altered(CONV, (t) => t.delete('grad_bias'));
    expect(some.checks.map(({ tensor }) => tensor)).toEqual(['output', 'grad_input', 'grad_weight']);
    const none = await altered(CONV, (t) => ['grad_input', 'grad_weight', 'grad_bias', 'grad_output'].forEach((n) => t.delete(n)));
    expect(none).toMatchObject({ status: 'pass', checks: [{ tensor: 'output' }] });
  });
  it('training without the count of batches', async () => {
    const verdict = await altered(TRAIN, (t) => {
      for (const name of [...t.keys()]) if (name.endsWith('num_batches_tracked')) t.delete(name);
    });
    expect(verdict.status, verdict.message).toBe('pass');
  });
  it('a tolerance loosens a bound, and the report says so', async () => {
    const spoil = (t: Tensors): void => {
      const data = get(t, 'output').data as Float32Array;
      data[0] += 1e-3 * data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    };
    expect(await altered(CONV, spoil)).toMatchObject({ status: 'fail', loosened: false });
    const loose = await altered(CONV, (t, m) => { spoil(t); m.tolerance = '0.01'; });
    expect(loose).toMatchObject({ status: 'pass', loosened: true });
    expect(formatVerdicts([loose])).toMatch(/1e-2 \*.*pass[\s\S]*1 with a bound loosened/);
    expect(await altered(CONV, (_, m) => { m.tolerance = '1e-9'; })).toMatchObject({ status: 'pass', loosened: false });
  });
});

describe('the report', () => {
  const check = { tensor: 'output', pass: true, error: 1e-7, bound: 1e-4, index: [0, 1], got: 1, want: 1.0000001 };
  const pass: Verdict = { name: 'a', op: 'add', status: 'pass', checks: [check], loosened: false };
  const fail: Verdict = { ...pass, name: 'b', status: 'fail', checks: [check, { ...check, tensor: 'grad_input', pass: false, error: Infinity, got: NaN }] };
  const error: Verdict = { name: 'c', op: '', status: 'error', checks: [], loosened: false, message: 'is empty' };

  it('has an exit status', () => {
    expect(exitCode([pass, pass])).toBe(0);
    expect(exitCode([pass, fail])).toBe(1);
    expect(exitCode([fail, error, pass])).toBe(2);
    expect(exitCode([])).toBe(2);
  });
  it('is a table', () => {
    const text = formatVerdicts([pass, fail, error]);
    expect(text).toContain('3 fixtures: 1 passed, 1 failed, 1 could not be run');
    expect(text).toMatch(/^b +add +grad_input +not finite +1e-4 +\[0, 1\] NaN, not 1 +fail$/m);
    expect(text).toMatch(/^c .*error: is empty$/m);
    expect(formatVerdicts([pass, fail], { failuresOnly: true })).not.toMatch(/^a /m);
  });
  it('is JSON, not finite numbers included', () => {
    const parsed = JSON.parse(verdictsToJson([fail])) as { exitCode: number; verdicts: { checks: { error: unknown; got: unknown }[] }[] };
    expect(parsed.exitCode).toBe(1);
    expect(parsed.verdicts[0].checks[1]).toMatchObject({ error: 'Infinity', got: 'NaN' });
  });
});
