/** The kernel cases on Graft, in Node and in a browser alike. `api`: the kernels, and Graft's public API as `graft`. */
import { NORM, SGD } from './reference.mjs';

/** Gives the function that makes a case ready (see engineKernels.mjs). */
export function kernelsOf(gpu, { matmul, conv2d, conv2dBackwardInput, conv2dBackwardWeight, graft }) {
  const { Tensor } = graft;
  return (item, inputs) => {
    const held = [];
    const tensor = (shape, data) => {
      const made = Tensor.fromArray(gpu, shape, data);
      held.push(made);
      return made;
    };
    const compute = computation();
    return {
      run: () => compute().dispose(),
      sync: () => gpu.sync(),
      async output() {
        const out = compute();
        const values = await out.toArray();
        out.dispose();
        return values;
      },
      dispose() {
        for (const each of held) each.dispose();
        gpu.trim();
      },
    };

    function computation() {
      if (item.kind === 'matmul') {
        const [a, b] = [tensor([item.m, item.k], inputs.a), tensor([item.k, item.n], inputs.b)];
        return () => matmul(a, b);
      }
      return item.kind === 'conv' ? convolution() : memoryBound();
    }

    function convolution() {
      const { pass, stride, padding } = item;
      const options = { stride: [stride, stride], padding: [padding, padding], dilation: [1, 1], groups: 1 };
      const [x, weight, dy] = ['x', 'weight', 'dy'].map((name) => inputs[name] && tensor(item[name], inputs[name]));
      if (pass === 'forward') return () => conv2d(x, weight, options);
      if (pass === 'input') return () => conv2dBackwardInput(dy, weight, item.x, options);
      return () => conv2dBackwardWeight(x, dy, item.weight, options);
    }

    function memoryBound() {
      const x = tensor(item.shape, inputs.x);
      const channels = item.shape.at(-1);
      const constant = (value) => tensor([channels], new Float32Array(channels).fill(value));
      const quiet = (fn) => () => graft.noGrad(() => graft.scope(gpu, fn));
      switch (item.op) {
        case 'relu':
          return quiet(() => graft.relu(x));
        case 'add': {
          const y = tensor(item.shape, inputs.y);
          return quiet(() => graft.add(x, y));
        }
        case 'batch norm':
        case 'batch norm, training': {
          const [weight, bias, mean, variance] = [NORM.weight, NORM.bias, NORM.mean, NORM.variance].map(constant);
          const training = item.op !== 'batch norm';
          const options = { running: { mean, var: variance }, normaliseBy: training ? 'batch' : 'running', update: training, momentum: 0.1, eps: NORM.epsilon };
          return quiet(() => graft.batchNorm(x, weight, bias, options));
        }
        case 'max pool':
          return quiet(() => graft.maxPool2d(x, { kernelSize: [3, 3], stride: [2, 2], padding: [1, 1] }));
        case 'average pool':
          return quiet(() => graft.adaptiveAvgPool2d(x, [1, 1]));
        case 'softmax':
          return quiet(() => graft.softmax(x));
        case 'sgd update':
          return update(x, tensor(item.shape, inputs.y));
        default:
          throw new Error(`no memory case '${item.op}'`);
      }
    }

    /** Updates in place; what it returns is a view that nobody has to free. */
    function update(x, gradient) {
      const parameter = new graft.Parameter(x);
      parameter.grad = gradient;
      const optimizer = new graft.Optimizer([['weight', parameter]], { name: 'sgd', ...SGD });
      held.push(optimizer);
      return () => {
        optimizer.step();
        return { dispose: () => undefined, toArray: () => parameter.toArray() };
      };
    }
  };
}
