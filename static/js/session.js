// The page of a session: the steps and the conversation go together; failed steps, folding, search, the link to exactly this.
(() => {
  const steps = () => document.getElementById("steps");
  const talk = () => document.getElementById("talk");
  const place = (id) => document.getElementById(`span-${id}`);
  let current = "";

  const show = (id, scroll = true) => {
    if (!id) return;
    current = id;
    document.querySelectorAll(".is-current").forEach((element) => element.classList.remove("is-current"));
    steps()?.querySelectorAll(".desk-tree [aria-current]").forEach((element) => element.removeAttribute("aria-current"));
    document.querySelector(`#step-${CSS.escape(id)} > a`)?.setAttribute("aria-current", "true");
    const part = place(id);
    if (!part) return;
    (part.matches("[data-span]") ? part : part.closest("[data-rev]"))?.classList.add("is-current");
    if (scroll) part.scrollIntoView({ block: "center" });
  };
  window.deskSession = { current: () => current, show };

  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("#steps [data-row]");
    if (row) show(row.dataset.span);
  });
  document.addEventListener("click", (event) => {
    const part = event.target.closest("#talk [data-span]");
    if (!part) return;
    show(part.dataset.span, false);
    document.getElementById(`step-${part.dataset.span}`)?.scrollIntoView({ block: "nearest" });
  });

  // Another window of the same page, around this step.
  const goTo = (id) => {
    const url = new URL(location.href);
    for (const name of ["first", "done", "part"]) url.searchParams.delete(name);
    url.searchParams.set("span", id);
    url.hash = `span-${id}`;
    if (url.href === location.href) arrive();
    else location.assign(url.href);
  };
  const jump = (forward) => {
    const failed = [...steps().querySelectorAll("[data-error]")];
    const beyond = steps().dataset[forward ? "nextFailed" : "previousFailed"];
    const rows = [...steps().querySelectorAll("[data-row]")];
    const at = rows.findIndex((row) => row.dataset.span === current);
    const place = (link) => rows.indexOf(link.closest("[data-row]"));
    const next = forward ? failed.find((link) => place(link) > at) : failed.findLast((link) => place(link) < at);
    if (next) next.focus();
    else if (beyond) goTo(beyond);
    else (forward ? failed[0] : failed.at(-1))?.focus();
  };
  const fold = (open) => talk().querySelectorAll("details.desk-chip").forEach((chip) => { chip.open = open; });

  document.addEventListener("click", (event) => {
    const on = (name) => event.target.closest(`[${name}]`);
    if (on("data-next-error") || on("data-previous-error")) {
      event.preventDefault();
      jump(Boolean(on("data-next-error")));
    } else if (on("data-fold") || on("data-unfold")) {
      event.preventDefault();
      fold(Boolean(on("data-unfold")));
    } else if (on("data-copy-link")) {
      event.preventDefault();
      const url = new URL(on("data-copy-link").href);
      if (current) {
        url.searchParams.set("span", current);
        url.hash = `span-${current}`;
      }
      const say = (text, bad) => document.body.dispatchEvent(new CustomEvent("desk:toast", { detail: { text, bad } }));
      navigator.clipboard?.writeText(url.href).then(() => say(current ? "The link to this step is copied." : "The link to this session is copied."), () => say(url.href, true));
      history.replaceState(null, "", url.href);
    }
    const more = document.getElementById("session-more");
    if (event.target.closest("#session-more a") && more.matches(":popover-open")) more.hidePopover();
  });

  // The step that the address names: its place in the conversation or, where it has none, its line.
  const arrive = () => {
    const id = location.hash.startsWith("#span-") ? location.hash.slice(6) : new URLSearchParams(location.search).get("span") ?? "";
    if (!id) return;
    const part = place(id);
    if (part?.matches("details")) part.open = true;
    show(id);
    document.getElementById(`step-${id}`)?.scrollIntoView({ block: "center" });
    const mark = document.querySelector("#talk .is-current mark, #talk .is-current");
    mark?.scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", arrive);
  document.addEventListener("DOMContentLoaded", () => {
    arrive();
    const hit = document.querySelector(".session-hits .is-current");
    if (!hit) return;
    hit.scrollIntoView({ block: "nearest" });
    if (!current) show(new URL(hit.querySelector("a").href).searchParams.get("span"));
  });
  // Enter on words that are found already goes to their next place.
  document.addEventListener("submit", (event) => {
    const find = event.target.closest("#session-find");
    if (!find) return;
    const words = find.elements.find.value.trim();
    const next = find.querySelector("[data-found-next]");
    if (!next || words !== find.dataset.found) return;
    event.preventDefault();
    location.assign(next.href);
  });
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target?.id !== "steps" || !current) return;
    document.querySelector(`#step-${CSS.escape(current)} > a`)?.focus();
  });

  const thumb = document.querySelector("[data-thumb]");
  const form = document.getElementById("label");
  if (thumb && form) new IntersectionObserver(([seen]) => { thumb.hidden = seen.isIntersecting; }).observe(form);
})();
