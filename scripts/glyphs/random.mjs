// Seeded random numbers. Every image draws from its own stream, named by a string, so that its bytes depend on
// neither how many images are made nor in which order.

/** A generator (sfc32) whose state is hashed from `name`. `next()` is uniform in [0, 1). */
export function randomStream(name) {
  let hash = 1779033703 ^ name.length;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name.charCodeAt(i), 3432918353);
    hash = (hash << 13) | (hash >>> 19);
  }
  const seedWord = () => {
    hash = Math.imul(hash ^ (hash >>> 16), 2246822507);
    hash = Math.imul(hash ^ (hash >>> 13), 3266489909);
    hash ^= hash >>> 16;
    return hash >>> 0;
  };
  let a = seedWord();
  let b = seedWord();
  let c = seedWord();
  let d = 1;
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4294967296;
  };
  for (let i = 0; i < 12; i++) next();
  return {
    next,
    /** Uniform in [low, high). */
    between: (low, high) => low + (high - low) * next(),
    /** True with the given probability. */
    chance: (probability) => next() < probability,
    /** One element of a list. */
    pick: (list) => list[Math.floor(next() * list.length)],
    /** About normal (sum of three uniforms), mean 0, standard deviation 1. */
    normal: () => (next() + next() + next() - 1.5) * 2,
  };
}
