/** Checks a fixture of one operation: the forward, what it changed, and every gradient the fixture holds. */
import { backward } from '../autograd/backward';
import { ShapeError, WeightsError, formatShape } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { sizeOf, type HostTensor } from '../hostTensor';
import { Tensor, keep, scope } from '../tensor';
import { compare } from './compare';
import type { Fixture } from './fixture';
import type { FixtureLayout, Op } from './ops';
import type { Check } from './verdict';

const FORWARD = 1e-4;
const GRADIENT = 3e-4;

export async function checkOp(gpu: Gpu, fixture: Fixture, op: Op): Promise<Check[]> {
  const layouts: Readonly<Record<string, FixtureLayout>> = { ...op.tensors, ...op.optional };
  const hosts: Record<string, HostTensor> = {};
  for (const [name, layout] of Object.entries(layouts)) {
    if (!fixture.has(name) && Object.hasOwn(op.optional, name)) continue;
    hosts[name] = await fixture.tensor(name, layout === 'indices' ? 'I64' : 'F32');
    if (layout === 'indices') checkIndices(hosts[name], name, hosts.input);
  }
  const wanted = Object.keys(hosts).filter((name) => !op.constant.includes(name) && fixture.has(`grad_${name}`));
  const output = await fixture.tensor('output');
  const seed = wanted.length > 0 ? await fixture.tensor('grad_output') : undefined;
  if (seed && formatShape(seed.shape) !== formatShape(output.shape)) {
    throw new WeightsError(`grad_output is ${formatShape(seed.shape)}, output is ${formatShape(output.shape)}; they must have one shape`);
  }

  const { got, given } = scope(gpu, () => {
    const tensors = Object.fromEntries(Object.entries(hosts).map(([name, host]) => [name, upload(gpu, host, name, layouts[name])]));
    for (const name of wanted) tensors[name].requiresGrad = true;
    const result = op.run(tensors, fixture.args);
    if (seed) {
      const dy = upload(gpu, seed, 'grad_output', op.output);
      if (dy.size !== result.size) throw new WeightsError(`grad_output is ${formatShape(seed.shape)}, which does not fit what the arguments give`);
      backward(result, dy.view(result.shape));
    }
    for (const name of wanted) keep(tensors[name].grad as Tensor);
    return { got: result, given: tensors };
  });

  const checks = [compare('output', await download(got, output, op.output), output, fixture.bound(FORWARD))];
  for (const name of op.changes) {
    const after = `${name}_after`;
    if (!given[name] || !(fixture.has(after) || fixture.args.boolean('training', false))) continue;
    const want = await fixture.tensor(after);
    checks.push(compare(after, await download(given[name], want, layouts[name]), want, fixture.bound(FORWARD)));
  }
  for (const name of wanted) {
    const want = await fixture.tensor(`grad_${name}`);
    const grad = given[name].grad as Tensor;
    checks.push(compare(`grad_${name}`, await download(grad, want, layouts[name]), want, fixture.bound(GRADIENT)));
    grad.dispose();
  }
  for (const tensor of [got, ...Object.values(given)]) tensor.dispose();
  return checks;
}

function upload(gpu: Gpu, host: HostTensor, name: string, layout: FixtureLayout): Tensor {
  if (layout === 'indices' || layout === 'plain') return Tensor.fromHost(gpu, host);
  if (layout === 'channels') {
    if (host.shape.length < 2) throw new ShapeError(`${name} must be [N, C, ...], got ${formatShape(host.shape)}`);
    const [n, c, ...rest] = host.shape;
    return Tensor.fromHost(gpu, { ...host, shape: [n, c, sizeOf(rest), 1] }, 'image');
  }
  if (host.shape.length !== 4) {
    throw new ShapeError(`${name} must be ${layout === 'image' ? '[N, C, H, W]' : '[out, in / groups, kh, kw]'}, got ${formatShape(host.shape)}`);
  }
  return Tensor.fromHost(gpu, host, layout);
}

/** Reads back in PyTorch's layout; `like` gives the axes that `channels` folded away. */
async function download(tensor: Tensor, like: HostTensor, layout: FixtureLayout): Promise<HostTensor> {
  if (layout !== 'channels') return tensor.toHost(layout === 'image' || layout === 'conv' ? layout : 'plain');
  const host = await tensor.toHost('image');
  const [n, c, ...rest] = like.shape;
  const same = like.shape.length >= 2 && n === host.shape[0] && c === host.shape[1] && sizeOf(rest) === host.shape[2];
  return same ? { ...host, shape: like.shape } : host;
}

function checkIndices({ shape, data }: HostTensor, name: string, logits: HostTensor): void {
  const classes = logits.shape[logits.shape.length - 1];
  data.forEach((value: number | bigint, i: number) => {
    if (value < 0 || value >= classes) {
      throw new ShapeError(`${name}[${i}] of ${formatShape(shape)} is ${value}; class indices run from 0 to ${classes - 1}`);
    }
  });
}
