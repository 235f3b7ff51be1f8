// Elements that ask again by themselves ([data-poll]) rest while the page is hidden or the last answer is still on its way.
// One with data-poll="quiet" takes an answer or leaves it: an error or an expired sign-in must not take away what is being typed.
(() => {
  const waiting = new WeakSet();
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const element = event.detail.elt;
    if (!element.hasAttribute("data-poll")) return;
    if (document.hidden || waiting.has(element)) event.preventDefault();
    else waiting.add(element);
  });
  document.body.addEventListener("htmx:beforeOnLoad", (event) => {
    if (event.detail.elt.dataset.poll === "quiet" && event.detail.xhr.status !== 200) event.preventDefault();
  });
  document.body.addEventListener("htmx:afterRequest", (event) => waiting.delete(event.detail.elt));
})();
