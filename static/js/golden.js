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
// [data-copy-link]: a link to what stands in the panel, copied instead of followed; without JavaScript it is followed.
(() => {
  const say = (text, bad) => document.body.dispatchEvent(new CustomEvent("desk:toast", { detail: { text, bad } }));
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-copy-link]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    try {
      await navigator.clipboard.writeText(link.href);
      say("The link to this test is copied.");
    } catch {
      say(link.href, true);
    }
  });
})();
