// Follows the system's theme where the person chose "as the system". Loaded in the head, so that the page is never painted in the wrong one.
(() => {
  const root = document.documentElement;
  if (root.dataset.theme !== "system") return;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => { root.dataset.bsTheme = dark.matches ? "dark" : "light"; };
  apply();
  dark.addEventListener("change", apply);
})();
