/** SHA-256 without `crypto.subtle`, which browsers keep from a page over plain http. Pure. */

const BLOCK_BYTES = 64;
/** So much is hashed before other work of the page may run: a few milliseconds. */
const SLICE_BYTES = 256 * 1024;

const PRIMES = firstPrimes(64);
/** The first 32 bits of the fractions of the square roots and the cube roots of primes (FIPS 180-4). */
const INITIAL = Uint32Array.from(PRIMES.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
const ROUNDS = Uint32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));

/** @param {Blob} blob @returns {Promise<Uint8Array>} the 32 bytes of its SHA-256; the page stays responsive meanwhile */
export async function sha256(blob) {
  const state = INITIAL.slice();
  const whole = blob.size - (blob.size % BLOCK_BYTES);
  for (let at = 0; at < whole; at += SLICE_BYTES)
    update(state, await blob.slice(at, Math.min(at + SLICE_BYTES, whole)).arrayBuffer());
  update(state, padded(new Uint8Array(await blob.slice(whole).arrayBuffer()), blob.size));
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => digest.setUint32(4 * i, word));
  return new Uint8Array(digest.buffer);
}

/** @param {Uint8Array} rest of a message @param {number} size of the message @returns {ArrayBuffer} its last blocks */
function padded(rest, size) {
  const blocks = Math.ceil((rest.length + 9) / BLOCK_BYTES);
  const last = new Uint8Array(blocks * BLOCK_BYTES);
  last.set(rest);
  last[rest.length] = 0x80;
  const view = new DataView(last.buffer);
  view.setUint32(last.length - 8, Math.floor(size / 0x2000_0000));
  view.setUint32(last.length - 4, (size << 3) >>> 0);
  return last.buffer;
}

/** @param {Uint32Array} state @param {ArrayBuffer} bytes whole blocks */
function update(state, bytes) {
  const view = new DataView(bytes);
  const words = new Uint32Array(64);
  for (let at = 0; at < bytes.byteLength; at += BLOCK_BYTES) {
    for (let i = 0; i < 16; i++) words[i] = view.getUint32(at + 4 * i);
    for (let i = 16; i < 64; i++)
      words[i] =
        words[i - 16] +
        small(words[i - 15], 7, 18, 3) +
        words[i - 7] +
        small(words[i - 2], 17, 19, 10);
    mix(state, words);
  }
}

/** @param {Uint32Array} state @param {Uint32Array} words of one block */
function mix(state, words) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const first = (h + large(e, 6, 11, 25) + ((e & f) ^ (~e & g)) + ROUNDS[i] + words[i]) | 0;
    const second = (large(a, 2, 13, 22) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) | 0, c, b, a, (first + second) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] += word));
}

function large(word, one, two, three) {
  return turned(word, one) ^ turned(word, two) ^ turned(word, three);
}

function small(word, one, two, shift) {
  return turned(word, one) ^ turned(word, two) ^ (word >>> shift);
}

function turned(word, bits) {
  return (word >>> bits) | (word << (32 - bits));
}

/** @param {number} count */
function firstPrimes(count) {
  const primes = /** @type {number[]} */ ([]);
  for (let n = 2; primes.length < count; n++)
    if (primes.every((prime) => n % prime)) primes.push(n);
  return primes;
}

/** @param {number} root */
function fraction(root) {
  return ((root % 1) * 0x1_0000_0000) >>> 0;
}
