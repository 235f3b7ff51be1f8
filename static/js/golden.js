// The row whose test stands in the panel is the selected one, also after only the panel was swapped.
(() => {
  const mark = () => {
    const shown = document.getElementById("panel")?.dataset.shown;
    for (const row of document.querySelectorAll("#results [data-row]")) {
      if (row.id === shown) row.setAttribute("aria-selected", "true");
      else row.removeAttribute("aria-selected");
    }
  };
  document.body.addEventListener("htmx:afterSettle", mark);
})();
