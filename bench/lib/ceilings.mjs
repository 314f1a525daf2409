/**
 * What this adapter can do at most, measured with kernels that do nothing else: multiply-adds that stay in registers,
 * and a copy. Several forms of each are tried and the fastest counts, for a ceiling that a kernel passes is none.
 */
import { sampleOnce } from './timing.mjs';

/**
 * Independent chains of multiply-adds an invocation, and their type. A CPU core has two units of four cycles' latency
 * and sixteen registers, so twelve chains keep it busy; a GPU hides latency with more invocations and needs few.
 */
const FORMS = [['f32', 8], ['f32', 12], ['vec4f', 2], ['vec4f', 3], ['vec4f', 8]];
const UNROLLED = 96;
/** Small enough for a cache, and too large for one: what is timed may live in either. */
const COPY_BYTES = [4 * 2 ** 20, 64 * 2 ** 20];
/** Floats an invocation copies at a time, and workgroups, each with a share that lies together; null: one invocation an element. */
const COPY_FORMS = [[1, null], [4, null], [4, 64], [4, 1024]];

/**
 * `sync` waits for the queue. Resolves to functions that take one sample each: GFLOP/s and GB/s. `brief`: fewer forms, and
 * no large copies, for where seconds count: a lower bound of the ceilings.
 */
export async function openCeilings(device, sync, { brief = false } = {}) {
  // Browsers leave the description empty.
  const software = /llvmpipe|swiftshader/i.test(`${device.adapterInfo?.architecture} ${device.adapterInfo?.description}`);
  const threads = software ? 4096 : 2 ** 19;
  const fmas = [];
  for (const [type, chains] of brief ? FORMS.slice(1, 4) : FORMS) fmas.push(await openFma(device, type, chains, threads));
  const copies = [];
  for (const bytes of brief ? COPY_BYTES.slice(0, 1) : COPY_BYTES) for (const [width, groups] of brief ? COPY_FORMS.slice(1, 3) : COPY_FORMS) copies.push(await openCopy(device, width, groups, bytes));
  const best = async (kernels, least) => {
    let speed = 0;
    for (const { run, work } of kernels) {
      const { ms } = await sampleOnce({ run, sync }, least);
      speed = Math.max(speed, work / ms / 1e6);
    }
    return speed;
  };
  return { fma: (least) => best(fmas, least), copy: (least) => best(copies, least) };
}

async function openFma(device, type, chains, threads) {
  const names = Array.from({ length: chains }, (_, i) => `a${i}`);
  const rounds = Math.max(1, Math.round(UNROLLED / chains));
  const body = Array(rounds).fill(names.map((a) => `${a} = fma(${a}, m, c);`).join(' ')).join('\n    ');
  const code = `@group(0) @binding(0) var<storage, read_write> out: array<f32>;
const LOOPS = 200u;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let m = ${type}(0.999 + f32(id.x & 7u) * 1e-5);
  let c = ${type}(f32(id.x) * 1e-9);
  ${names.map((a, i) => `var ${a} = ${type}(f32(id.x + ${i}u));`).join(' ')}
  for (var i = 0u; i < LOOPS; i++) {
    ${body}
  }
  out[id.x] = ${names.map((a) => (type === 'f32' ? a : `dot(${a}, vec4f(1))`)).join(' + ')};
}`;
  const out = storage(device, 4 * threads);
  return { run: await dispatcher(device, code, [out], threads / 64), work: 2 * threads * chains * (type === 'f32' ? 1 : 4) * rounds * 200 };
}

async function openCopy(device, width, groups, wanted) {
  const type = width === 4 ? 'vec4f' : 'f32';
  const bytes = Math.min(wanted, device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize);
  const elements = bytes / 4 / width;
  const perRow = 1024;
  const share = groups === null ? 256 : Math.ceil(elements / groups / 256) * 256;
  const workgroups = Math.ceil(elements / share);
  const code = `@group(0) @binding(0) var<storage, read> whence: array<${type}>;
@group(0) @binding(1) var<storage, read_write> whither: array<${type}>;
@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) group: vec3u) {
  let begin = (group.y * ${perRow}u + group.x) * ${share}u;
  let end = min(begin + ${share}u, arrayLength(&whence));
  for (var i = begin + local; i < end; i += 256u) { whither[i] = whence[i]; }
}`;
  return { run: await dispatcher(device, code, [storage(device, bytes), storage(device, bytes)], Math.min(perRow, workgroups), Math.ceil(workgroups / perRow)), work: 2 * bytes };
}

function storage(device, size) {
  return device.createBuffer({ size, usage: 0x80 });
}

/** A function that submits one dispatch. */
async function dispatcher(device, code, buffers, x, y = 1) {
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module: device.createShaderModule({ code }) } });
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })) });
  return () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, y);
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
}
