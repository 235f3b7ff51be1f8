// The arrows move over the columns of a table ([data-matrix]) whose rows j and k move over: the column stays from row to row.
(() => {
  let column = 0;
  const table = () => document.querySelector("[data-matrix]");
  const links = (row) => [...row.querySelectorAll("[data-pick]")];
  // rows.js focuses the link that carries data-row-open.
  const aim = () => {
    for (const row of table()?.querySelectorAll("[data-row]") ?? []) {
      const all = links(row);
      all.forEach((link, at) => link.toggleAttribute("data-row-open", at === Math.min(column, all.length - 1)));
    }
  };
  const columnOf = (link) => links(link.closest("[data-row]")).indexOf(link);

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !document.body.hasAttribute("data-single-keys")) return;
    if (!["ArrowLeft", "ArrowRight"].includes(event.key) || document.querySelector("dialog[open], :popover-open")) return;
    if (event.target.closest("input, textarea, select, #panel")) return;
    const row = event.target.closest("[data-matrix] [data-row]") ?? table()?.querySelector("[data-row].cursor") ?? table()?.querySelector("[data-row]");
    if (!row) return;
    event.preventDefault();
    const all = links(row);
    const isMoving = row.contains(document.activeElement) || row.classList.contains("cursor");
    column = isMoving ? Math.max(0, Math.min(all.length - 1, column + (event.key === "ArrowRight" ? 1 : -1))) : column;
    aim();
    for (const other of table().querySelectorAll("[data-row]")) other.classList.toggle("cursor", other === row);
    all[column]?.focus({ preventScroll: true });
    all[column]?.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  document.addEventListener("focusin", (event) => {
    const link = event.target.closest?.("[data-matrix] [data-pick]");
    if (!link) return;
    column = columnOf(link);
    aim();
  });
  document.body.addEventListener("htmx:afterSettle", aim);

  // A link to a part of the panel that is folded: it opens what it leads to and goes to its first field.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-opens]");
    const part = link && document.getElementById(link.dataset.opens)?.querySelector("details");
    if (!part) return;
    event.preventDefault();
    part.open = true;
    part.scrollIntoView({ block: "nearest" });
    (part.querySelector("textarea") ?? part.querySelector("input:not([type=hidden])"))?.focus();
  });

  const picked = document.querySelector("[data-matrix] [aria-current='true']");
  if (picked) column = Math.max(0, columnOf(picked));
  aim();
})();
