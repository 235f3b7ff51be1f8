// The picked link of a table whose panel is swapped: [data-picks] holds [data-pick] links; a [data-unpick] link picks none.
(() => {
  const mark = (link) => {
    for (const other of document.querySelectorAll("[data-picks] [data-pick]")) {
      if (other === link) other.setAttribute("aria-current", "true");
      else other.removeAttribute("aria-current");
    }
  };
  // A list that was asked for before the last pick names an older one.
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (!event.target.matches?.("[data-picks]")) return;
    const picked = [...event.target.querySelectorAll("[data-pick]")].find((link) => link.href === location.href);
    if (picked) mark(picked);
  });
  document.body.addEventListener("htmx:beforeSend", (event) => {
    const link = event.detail.elt;
    if (link.matches("[data-pick]")) mark(link);
    if (link.matches("[data-unpick]")) mark(null);
  });
})();
