// Follows a session that is going on: asks every 2 s while the page is visible, and merges what is new by id.
// What did not change is left alone, so focus, caret, open calls and the scroll stay.
(() => {
  const root = document.querySelector("[data-live]");
  if (!root) return;
  let rev = root.dataset.liveRev;
  let failures = 0;
  const talk = () => document.getElementById("talk");
  const button = () => document.querySelector("[data-live-new]");

  const merge = (list, fresh) => {
    const known = new Map([...list.children].filter((each) => each.id).map((each) => [each.id, each]));
    let added = 0;
    let place = list.firstElementChild;
    for (const next of [...fresh.children]) {
      const old = known.get(next.id);
      known.delete(next.id);
      if (old && old.dataset.rev === next.dataset.rev) {
        if (old !== place) list.insertBefore(old, place);
        place = old.nextElementSibling;
        continue;
      }
      if (old) {
        const focused = old.contains(document.activeElement);
        const at = [...old.querySelectorAll("a, summary, button")].indexOf(document.activeElement);
        for (const chip of next.querySelectorAll("details[id]")) {
          const before = old.querySelector(`#${CSS.escape(chip.id)}`);
          if (before) chip.open = before.open || chip.open;
        }
        if (old.classList.contains("is-current")) next.classList.add("is-current");
        if (old === place) place = old.nextElementSibling;
        old.replaceWith(next);
        if (focused) (next.querySelectorAll("a, summary, button")[at] ?? next.querySelector("a, summary"))?.focus({ preventScroll: true });
      } else {
        list.insertBefore(next, place);
        added += 1;
      }
      window.htmx?.process(next);
    }
    known.forEach((gone) => gone.remove());
    return added;
  };

  const apply = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const answer = page.querySelector("[data-live-answer]");
    if (!answer) return false;
    rev = answer.dataset.liveRev;
    const pane = talk();
    const wide = matchMedia("(min-width: 761px)").matches;
    const box = wide ? pane : document.documentElement;
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 80;
    let added = 0;
    for (const part of ["steps", "talk"]) {
      const here = document.querySelector(`#${part} [data-live-list]`);
      const there = answer.querySelector(`#${part} [data-live-list]`);
      const num = merge(here, there);
      if (part === "talk") added = num;
    }
    for (const part of [".col-head", ".session-axis", ".session-grid"]) {
      const fresh = answer.querySelector(`#steps ${part}`);
      if (fresh) document.querySelector(`#steps ${part}`)?.replaceWith(fresh);
    }
    for (const name of ["previousFailed", "nextFailed"]) {
      document.getElementById("steps").dataset[name] = answer.querySelector("#steps").dataset[name];
    }
    for (const id of ["session-head", "session-continue"]) {
      const old = document.getElementById(id);
      if (!old.contains(document.activeElement)) old.replaceWith(answer.querySelector(`#${id}`));
    }
    if (added && atEnd) box.scrollTop = box.scrollHeight;
    else if (added && button()) {
      const total = Number(button().dataset.num ?? 0) + added;
      button().dataset.num = total;
      button().querySelector("span").textContent = `${total} new`;
      button().hidden = false;
    }
    return answer.hasAttribute("data-live-more");
  };

  const end = () => {
    root.removeAttribute("data-live");
    const url = new URL(location.href);
    url.searchParams.set("part", "label");
    window.htmx?.ajax("GET", url.pathname + url.search, { target: "#label", swap: "outerHTML" });
  };

  const ask = async () => {
    if (document.hidden) return schedule();
    try {
      const url = new URL(root.dataset.live, location.href);
      new URLSearchParams(location.search).forEach((value, name) => url.searchParams.set(name, value));
      url.searchParams.set("rev", rev);
      const response = await fetch(url, { headers: { "HX-Request": "true", "HX-Current-URL": location.href } });
      if (response.headers.get("HX-Redirect")) return location.assign(response.headers.get("HX-Redirect"));
      failures = response.ok ? 0 : failures + 1;
      if (response.status === 200 && !apply(await response.text())) return end();
    } catch {
      failures += 1;
    }
    schedule();
  };
  const schedule = () => setTimeout(ask, Math.min(2000 * 2 ** failures, 30000));

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-live-new]")) return;
    button().hidden = true;
    button().dataset.num = 0;
    talk().querySelector("[data-live-list] > :last-child")?.scrollIntoView({ block: "end" });
  });
  schedule();
})();
