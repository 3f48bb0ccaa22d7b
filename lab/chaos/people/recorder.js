/**
 * Runs inside the page before its own scripts and tells the suite, by the binding chaosNote, what happens there:
 * the bytes of every stream, the commands and their answers, and each frame that the page applies.
 */
(() => {
  if (!location.protocol.startsWith("http")) return; // the browser's own error page
  const note = (kind, data) => window.chaosNote(kind, Date.now() / 1000, data);
  const fetchForReal = window.fetch.bind(window);
  let streams = 0;

  async function stream(url, request) {
    const number = (streams += 1);
    note("opened", { number, watch: url.searchParams.getAll("watch") });
    const response = await fetchForReal(...request);
    if (response.status !== 200 || !response.body) return response;
    const decoder = new TextDecoder();
    const listener = new TransformStream({
      transform(chunk, out) {
        note("received", { number, text: decoder.decode(chunk, { stream: true }) });
        out.enqueue(chunk);
      },
    });
    return new Response(response.body.pipeThrough(listener), {
      status: 200,
      headers: response.headers,
    });
  }

  async function command(name, request) {
    const body = JSON.parse(request[1].body);
    note("asked", { name, body });
    const response = await fetchForReal(...request);
    const answer = await response
      .clone()
      .json()
      .catch(() => null); // a gateway's page, or cut
    note("answered", { name, body, status: response.status, answer });
    return response;
  }

  let reads = 0;
  window.chaosReads = () => reads;

  async function read(request) {
    reads += 1;
    try {
      const response = await fetchForReal(...request);
      await response.clone().arrayBuffer();
      return response;
    } finally {
      reads -= 1;
    }
  }

  window.fetch = (...request) => {
    const url = new URL(request[0], location.href);
    if (url.pathname === "/api/chat/events") return stream(url, request);
    const [, name] = /^\/api\/chat\/(\w+)$/.exec(url.pathname) ?? [];
    return name && request[1]?.method === "POST" ? command(name, request) : read(request);
  };

  note("began", {});

  // The page's own module, before the page's scripts run: its frames come over the network.
  document.addEventListener("readystatechange", () => {
    const main = document.querySelector('script[src$="/sessions/main.js"]');
    if (document.readyState !== "interactive" || !main) return;
    import(new URL("log/store.js", main.src).href).then(
      ({ Store }) => {
        const { apply } = Store.prototype;
        Store.prototype.apply = function (frame) {
          note("applied", frame);
          return apply.call(this, frame);
        };
      },
      () => {},
    ); // a page without its scripts shows nothing, and is loaded again
  });
})();
