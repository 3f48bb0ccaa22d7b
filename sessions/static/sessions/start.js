// Not a module: it watches over the modules, which may fail to load or die before the page works.
(() => {
  const LATE_MS = 20_000;

  const isReady = () => document.body?.dataset.ready === "true";

  /** @param {boolean} isBroken */
  const show = (isBroken) => {
    for (const id of ["main", "sidebar"])
      document.getElementById(id)?.toggleAttribute("inert", isBroken);
    document.getElementById("broken")?.toggleAttribute("hidden", !isBroken);
  };

  const tell = (reason) => {
    const place = document.getElementById("broken-reason");
    if (!place || isReady()) return;
    place.textContent = reason;
    show(true);
  };

  const whenParsed = (run) => {
    if (document.readyState !== "loading") run();
    else document.addEventListener("readystatechange", run, { once: true }); // modules delay DOMContentLoaded
  };

  // Capture: a script that cannot be loaded tells its own element alone.
  globalThis.addEventListener(
    "error",
    (event) => {
      const isLoading = event.target instanceof HTMLScriptElement;
      const source = isLoading ? event.target.src : event.filename;
      if (!source?.startsWith(location.origin)) return; // an extension's
      const name = source.split("/").at(-1);
      whenParsed(() =>
        tell(isLoading ? `${name} could not be loaded.` : `${name}: ${event.message}`),
      );
    },
    true,
  );

  whenParsed(() => {
    setTimeout(() => tell("It takes longer than it should."), LATE_MS);
    new MutationObserver(() => isReady() && show(false)).observe(document.body, {
      attributeFilter: ["data-ready"],
    });
  });
})();
