// j, k, Enter and Space on a list: [data-rows] holds elements with [data-row], each with one link (data-row-open or the first).
// The cursor stays where it was through swaps, by the row's id.
// data-rows-follow="selector": what the keys of a row do stands in its panel, so moving the cursor opens it, unless something that
// is being typed (the selector) would be lost.
(() => {
  const lists = () => [...document.querySelectorAll("[data-rows]")].filter((list) => list.getClientRects().length > 0);
  const rows = (list) => [...list.querySelectorAll("[data-row]")];
  const open = (row) => row.querySelector("[data-row-open]") ?? row.querySelector("a[href]");
  let last = "";

  const mark = (list, row, scroll = true) => {
    for (const other of rows(list)) other.classList.toggle("cursor", other === row);
    last = row.id;
    if (scroll) row.scrollIntoView({ block: "nearest" });
    open(row)?.focus({ preventScroll: true });
  };
  const opened = (list) => "rowsFollow" in list.dataset && rows(list).find((row) => row.querySelector("[aria-current='true']"));
  const current = (list) => rows(list).find((row) => row.contains(document.activeElement)) ?? list.querySelector("[data-row].cursor") ?? opened(list);
  const follow = (list, row) => {
    if (!("rowsFollow" in list.dataset) || document.querySelector(list.dataset.rowsFollow)) return;
    if (opened(list) !== row) open(row)?.click();
  };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !document.body.hasAttribute("data-single-keys")) return;
    if (document.querySelector("dialog[open], :popover-open") || event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select")) return;
    const list = lists().find((each) => each.contains(event.target)) ?? lists()[0];
    if (!list || !["j", "k", "Enter"].includes(event.key)) return;
    const all = rows(list);
    const at = all.indexOf(current(list) || null);
    if (event.key === "Enter") {
      if (at >= 0 && !event.target.closest("a, button, summary, input")) open(all[at])?.click();
      return;
    }
    const next = all[event.key === "j" ? Math.min(at + 1, all.length - 1) : Math.max(at - 1, 0)];
    if (next) {
      event.preventDefault();
      mark(list, next);
      follow(list, next);
    }
  });
  document.addEventListener("click", (event) => {
    const row = event.target.closest("[data-row]");
    if (!row || event.target.closest("a, button, input, label, summary") || getSelection().toString()) return;
    open(row)?.click();
  });
  document.body.addEventListener("htmx:afterSettle", () => {
    for (const list of lists()) {
      const row = last && rows(list).find((each) => each.id === last);
      if (row) row.classList.add("cursor");
    }
  });
})();
