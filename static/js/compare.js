// Two sessions side by side: `[` and `]` fold and unfold what is the same.
(() => {
  const set = (open) => document.querySelectorAll(".compare-equal details").forEach((part) => { part.open = open; });
  const bind = (name, open) => {
    const button = document.querySelector(`[${name}]`);
    if (!button || !document.querySelector(".compare-equal")) return;
    button.hidden = false;
    button.addEventListener("click", () => set(open));
  };
  bind("data-fold-equal", false);
  bind("data-unfold-equal", true);
})();
