/** The kernel cases on TensorFlow.js, in Node and in a browser alike. */
import { NORM, SGD } from '../lib/reference.mjs';
import { patiently } from '../lib/timing.mjs';

/** The kernel cases: inputs stay on the device; a sample is ended by waiting for the queue. */
export function kernelsOf(tf) {
  const backend = tf.backend();
  return (item, inputs) => {
    const held = [];
    const tensor = (data, shape) => {
      const made = tf.tensor(data, shape);
      held.push(made);
      return made;
    };
    const compute = computation();
    return {
      run: () => tf.dispose(tf.tidy(compute)),
      async sync() {
        backend.ensureCommandEncoderReady();
        backend.endComputePassEncoder();
        backend.submitQueue();
        await patiently(backend.device.queue.onSubmittedWorkDone());
      },
      async output() {
        const out = tf.tidy(compute);
        const values = await patiently(out.data());
        out.dispose();
        return values;
      },
      dispose: () => tf.dispose(held),
    };

    function computation() {
      if (item.kind === 'matmul') {
        const [a, b] = [tensor(inputs.a, [item.m, item.k]), tensor(inputs.b, [item.k, item.n])];
        return () => tf.matMul(a, b);
      }
      if (item.kind === 'memory') return memoryBound();
      const { pass, stride, padding } = item;
      const [x, filter, dy] = ['x', 'weight', 'dy'].map((name) => inputs[name] && tensor(inputs[name], item[name]));
      const attributes = { strides: stride, pad: padding, dataFormat: 'NHWC', dimRoundingMode: undefined };
      if (pass === 'forward') return () => tf.conv2d(x, filter, stride, padding);
      if (pass === 'input') return () => tf.engine().runKernel('Conv2DBackpropInput', { dy, filter }, { ...attributes, inputShape: item.x });
      return () => tf.engine().runKernel('Conv2DBackpropFilter', { x, dy }, { ...attributes, filterShape: item.weight });
    }

    function memoryBound() {
      const x = tensor(inputs.x, item.shape);
      const constant = (value) => tensor(new Float32Array(item.shape.at(-1)).fill(value), [item.shape.at(-1)]);
      switch (item.op) {
        case 'relu':
          return () => tf.relu(x);
        case 'add': {
          const y = tensor(inputs.y, item.shape);
          return () => tf.add(x, y);
        }
        case 'batch norm': {
          const [mean, variance, bias, weight] = [NORM.mean, NORM.variance, NORM.bias, NORM.weight].map(constant);
          return () => tf.batchNorm(x, mean, variance, bias, weight, NORM.epsilon);
        }
        case 'batch norm, training': {
          const [bias, weight] = [NORM.bias, NORM.weight].map(constant);
          return () => {
            const { mean, variance } = tf.moments(x, [0, 1, 2]);
            return tf.batchNorm(x, mean, variance, bias, weight, NORM.epsilon);
          };
        }
        case 'max pool':
          return () => tf.maxPool(x, 3, 2, 1);
        case 'average pool':
          return () => tf.mean(x, [1, 2]);
        case 'softmax':
          return () => tf.softmax(x);
        default:
          return update(x, tensor(inputs.y, item.shape));
      }
    }

    function update(x, gradient) {
      const variable = tf.variable(x, true, `sgd ${Math.random()}`);
      const optimizer = tf.train.momentum(SGD.lr, SGD.momentum);
      held.push(variable, { dispose: () => optimizer.dispose() });
      return () => {
        optimizer.applyGradients({ [variable.name]: gradient });
        return tf.clone(variable);
      };
    }
  };
}
