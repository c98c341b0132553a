// The random numbers that torch draws on the processor from a seed: the Mersenne twister (Matsumoto & Nishimura 1998);
// and those of NumPy's `default_rng(0)`: a permuted congruential generator (O'Neill 2014).

export const SAMPLE = 2 ** 16;  // pixels at most from which landmarks and tree are learnt

const N = 624, M = 397;

export class Twister {
  #state = new Uint32Array(N);
  #place = N;

  constructor(seed) {
    this.#state[0] = seed;
    for (let i = 1; i < N; i++) {
      const before = this.#state[i - 1];
      this.#state[i] = Math.imul(1812433253, before ^ before >>> 30) + i;
    }
  }

  // A whole number of 32 bits.
  next() {
    if (this.#place === N) this.#turn();
    let y = this.#state[this.#place++];
    y ^= y >>> 11;
    y ^= y << 7 & 0x9d2c5680;
    y ^= y << 15 & 0xefc60000;
    return (y ^ y >>> 18) >>> 0;
  }

  #turn() {
    const s = this.#state;
    for (let i = 0; i < N; i++) {
      const y = s[i] & 0x80000000 | s[(i + 1) % N] & 0x7fffffff;
      s[i] = s[(i + M) % N] ^ y >>> 1 ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#place = 0;
  }

  // Uniform in [0, 1), of 53 bits.
  uniform() {
    const high = this.next() & 0x1fffff;
    return (high * 2 ** 32 + this.next()) / 2 ** 53;
  }

  // The first `some` of 0 … n − 1 in random order.
  permutation(n, some = n) {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = 0; i < Math.min(some, n - 1); i++) {
      const j = i + this.next() % (n - i), kept = order[i];
      order[i] = order[j];
      order[j] = kept;
    }
    return order.slice(0, some);
  }
}

const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n, INCREMENT = 87136372517582989555478159403783844777n;
const LOW = 2n ** 64n - 1n;

class Congruential {
  #state = 35399562948360463058890781895381311971n;       // what the seed 0 becomes
  #later = null;                                          // half of the 64 bits that each step gives

  // A whole number of 32 bits.
  next() {
    if (this.#later !== null) {
      const kept = this.#later;
      this.#later = null;
      return kept;
    }
    const s = this.#state = BigInt.asUintN(128, this.#state * MULTIPLIER + INCREMENT), folded = (s >> 64n ^ s) & LOW;
    const turn = s >> 122n, all = (folded >> turn | folded << 64n - turn) & LOW;
    this.#later = Number(all >> 32n);
    return Number(all & 0xffffffffn);
  }

  // A whole number in [0, count), each with the same chance (Lemire 2019).
  below(count) {
    for (;;) {
      const high = this.next(), product = BigInt(high) * BigInt(count), rest = Number(product & 0xffffffffn);
      if (rest >= count || rest >= (2 ** 32 - count) % count) return Number(product >> 32n);
    }
  }
}

// Which `wanted` of `total` pixels Python takes for a sample, in their order; all where there are no more. `wanted` is
// at least a fiftieth of them: fewer are drawn in another way.
export function sampled(total, wanted = SAMPLE) {
  const order = Int32Array.from({ length: total }, (_, i) => i);
  if (total <= wanted) return order;
  const random = new Congruential();
  for (let i = total - 1; i >= total - wanted; i--) {
    const j = random.below(i + 1), kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
  return order.slice(total - wanted).sort();
}
