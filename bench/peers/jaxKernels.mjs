/**
 * The kernel cases on jax-js, in Node and in a browser alike. Arrays are channels first, as its convolutions want them.
 * Everything that is timed went through `jit`. It counts references: an argument is given up unless `.ref` is passed.
 */
import { transpose } from '../lib/numbers.mjs';
import { NORM, SGD } from '../lib/reference.mjs';
import { patiently } from '../lib/timing.mjs';

/** Source axes of channels first, of [N, H, W, C] and [kh, kw, in, out]; and back. */
const [TO_NCHW, TO_OIHW] = [[0, 3, 1, 2], [3, 2, 0, 1]];

/** Results that are under way at once. */
const AHEAD = 8;

export function kernelsOf({ numpy: np, lax, nn, jit, vjp, blockUntilReady }) {
  return async (item, inputs) => {
    const held = [];
    const array = (data, shape, axes) => {
      const made = np.array(axes ? transpose(data, shape, axes) : data).reshape(axes ? axes.map((axis) => shape[axis]) : shape);
      held.push(made);
      return made;
    };
    const { compute, axes } = computation();
    await patiently(blockUntilReady(held));
    // What is disposed of before it was waited for is never computed: results are held, a few at a time.
    const results = [];
    const settle = async () => {
      await patiently(blockUntilReady(results));
      for (const result of results.splice(0)) result.dispose();
    };
    return {
      axes,
      async run() {
        results.push(compute());
        if (results.length === AHEAD) await settle();
      },
      sync: settle,
      async output() {
        const out = compute();
        return patiently(out.data());
      },
      dispose() {
        for (const each of held) each.dispose();
      },
    };

    function computation() {
      if (item.kind === 'memory') return memoryBound();
      if (item.kind === 'matmul') {
        const [a, b] = [array(inputs.a, [item.m, item.k]), array(inputs.b, [item.k, item.n])];
        const product = jit((p, q) => np.matmul(p, q));
        return { compute: () => product(a.ref, b.ref) };
      }
      const { pass, stride, padding } = item;
      const conv = (x, w) => lax.convGeneralDilated(x, w, [stride, stride], [[padding, padding], [padding, padding]]);
      const zeros = (shape, order) => array(new Float32Array(shape.reduce((p, q) => p * q)), shape, order);
      const x = inputs.x ? array(inputs.x, item.x, TO_NCHW) : zeros(item.x, TO_NCHW);
      const w = inputs.weight ? array(inputs.weight, item.weight, TO_OIHW) : zeros(item.weight, TO_OIHW);
      if (pass === 'forward') {
        const forward = jit(conv);
        return { axes: TO_NCHW, compute: () => forward(x.ref, w.ref) };
      }
      const dy = array(inputs.dy, item.dy, TO_NCHW);
      // The forward inside is never used and does not run: `jit` computes what its result needs.
      const gradient = (fn, primal, cotangent) => {
        const [y, pull] = vjp(fn, [primal]);
        y.dispose();
        const [result] = pull(cotangent);
        pull.dispose();
        return result;
      };
      if (pass === 'input') {
        const back = jit((p, q, r) => {
          const result = gradient((v) => conv(v, q.ref), p, r);
          q.dispose();
          return result;
        });
        return { axes: TO_NCHW, compute: () => back(x.ref, w.ref, dy.ref) };
      }
      const back = jit((p, q, r) => {
        const result = gradient((v) => conv(p.ref, v), q, r);
        p.dispose();
        return result;
      });
      return { axes: TO_OIHW, compute: () => back(x.ref, w.ref, dy.ref) };
    }

    function memoryBound() {
      const image = item.shape.length === 4;
      const axes = image ? TO_NCHW : undefined;
      const x = array(inputs.x, item.shape, axes);
      const one = (fn, ...more) => {
        const compiled = jit(fn);
        return { axes: item.out.length === 4 ? axes : undefined, compute: () => compiled(x.ref, ...more.map((each) => each.ref)) };
      };
      const affine = (y) => y.mul(NORM.weight).add(NORM.bias);
      switch (item.op) {
        case 'relu':
          return one((p) => nn.relu(p));
        case 'add':
          return one((p, q) => p.add(q), array(inputs.y, item.shape, axes));
        case 'batch norm':
          return one((p) => affine(p.sub(NORM.mean).mul(1 / Math.sqrt(NORM.variance + NORM.epsilon))));
        case 'batch norm, training':
          return one((p) => {
            const mean = np.mean(p.ref, [0, 2, 3], { keepdims: true });
            const centred = p.sub(mean);
            const variance = np.mean(centred.ref.mul(centred.ref), [0, 2, 3], { keepdims: true });
            return affine(centred.div(np.sqrt(variance.add(NORM.epsilon))));
          });
        case 'average pool':
          return one((p) => np.mean(p, [2, 3]));
        case 'softmax':
          return one((p) => nn.softmax(p, -1));
        case 'sgd update': {
          // Both results, as an optimiser keeps both.
          const [g, m] = [array(inputs.y, item.shape), array(new Float32Array(inputs.y.length), item.shape)];
          const step = jit((p, q, r) => {
            const momentum = r.mul(SGD.momentum).add(q);
            return [p.sub(momentum.ref.mul(SGD.lr)), momentum];
          });
          return {
            compute() {
              const [p, r] = step(x.ref, g.ref, m.ref);
              r.dispose();
              return p;
            },
          };
        }
        case 'max pool':
          return one((p) => maxPool({ np, lax }, p));
        default:
          throw new Error(`no memory case '${item.op}'`);
      }
    }
  };
}

/** 3x3, stride 2, padding 1, of values that are not below -1e30. */
export function maxPool({ np, lax }, x) {
  const padded = np.pad(x, [[0, 0], [0, 0], [1, 1], [1, 1]], { constantValues: -1e30 });
  return lax.reduceWindow(padded, (window) => np.max(window), [3, 3], [2, 2]);
}
