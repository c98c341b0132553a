// The random numbers that torch draws on the processor from a seed: the Mersenne twister (Matsumoto & Nishimura 1998).

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
