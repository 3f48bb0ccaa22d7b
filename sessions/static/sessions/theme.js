// Not a module: it runs before the first paint, so that a chosen theme does not flash the other one.
(() => {
  const KEY = "backstay.theme";
  const root = document.documentElement;
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  };
  apply(stored());
  globalThis.addEventListener("storage", (event) => event.key === KEY && apply(event.newValue));

  globalThis.backstayTheme = {
    get: () => root.dataset.theme ?? "system",
    set(theme) {
      apply(theme);
      try {
        if (theme === "system") localStorage.removeItem(KEY);
        else localStorage.setItem(KEY, theme);
      } catch {
        // A private window without storage: it holds for this page.
      }
    },
  };

  const NEXT = { system: "light", light: "dark", dark: "system" };
  document.addEventListener("DOMContentLoaded", () => {
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (
      document.querySelectorAll("[data-theme-toggle]")
    )) {
      const label = () => {
        const theme = globalThis.backstayTheme.get();
        button.dataset.now = theme;
        button.setAttribute("aria-label", `Theme: ${theme}. Change it`);
        button.title = `Theme: ${theme}`;
      };
      button.addEventListener("click", () => {
        globalThis.backstayTheme.set(NEXT[globalThis.backstayTheme.get()]);
        label();
      });
      label();
    }
  });
})();
