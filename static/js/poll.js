// Elements that ask again by themselves ([data-poll]) rest while the page is hidden or the last answer is still on its way.
(() => {
  const waiting = new WeakSet();
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const element = event.detail.elt;
    if (!element.hasAttribute("data-poll")) return;
    if (document.hidden || waiting.has(element)) event.preventDefault();
    else waiting.add(element);
  });
  document.body.addEventListener("htmx:afterRequest", (event) => waiting.delete(event.detail.elt));
})();
