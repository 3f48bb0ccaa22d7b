/** Notes of a tab for the benchmarks: when it was ready, its frames, and the time from a cause to its paint. */

const bench = (globalThis.bench = {
  readyMs: 0,
  liveMs: 0,
  paintsMs: [],
  keysMs: [],
  frame: 0,
  framesMs: [],
});

/** Calls back behind the next paint. */
const painted = (then) =>
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => then(performance.now());
    port2.postMessage(null);
  });

const stand = () => {
  if (!bench.readyMs && document.body?.dataset.ready) bench.readyMs = performance.now();
  const line = document.getElementById("line")?.dataset.kind;
  if (!bench.liveMs && line === "live") bench.liveMs = performance.now();
};
new MutationObserver(stand).observe(document, {
  attributes: true,
  attributeFilter: ["data-ready", "data-kind"],
  childList: true,
  subtree: true,
});

/** @type {number|null} the oldest piece of the stream that is not painted */
let arrivedMs = null;

/** A piece that changes nothing on the page has no paint. @param {number} since */
const forgetUnlessDrawn = (since) =>
  painted(() =>
    painted(() => {
      if (arrivedMs === since) arrivedMs = null;
    }),
  );

const { read } = ReadableStreamDefaultReader.prototype;
ReadableStreamDefaultReader.prototype.read = async function (...given) {
  const piece = await read.apply(this, given);
  if (arrivedMs === null) forgetUnlessDrawn((arrivedMs = performance.now()));
  return piece;
};

bench.watchAnswers = () => {
  bench.paintsMs = [];
  new MutationObserver(() => {
    if (arrivedMs === null) return;
    const since = arrivedMs;
    arrivedMs = null;
    painted((now) => bench.paintsMs.push(now - since));
  }).observe(document.getElementById("transcript"), {
    characterData: true,
    childList: true,
    subtree: true,
  });
};

bench.watchKeys = () => {
  bench.keysMs = [];
  const note = ({ timeStamp }) => painted((now) => bench.keysMs.push(now - timeStamp));
  document.getElementById("prompt").addEventListener("keydown", note);
};

/** The time between one frame and the next, so many times. @param {number} count */
bench.frames = (count) =>
  new Promise((resolve) => {
    const seen = [];
    const step = (now) => {
      seen.push(now);
      if (seen.length <= count) requestAnimationFrame(step);
      else resolve(seen.slice(1).map((at, index) => at - seen[index]));
    };
    requestAnimationFrame(step);
  });
