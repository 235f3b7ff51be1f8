// The session list: finished terms of the filter as tokens, what may come next, and selected rows.
(() => {
  const form = document.querySelector("[data-filter]");
  if (!form) return;
  const box = form.querySelector(".desk-filter");
  const input = form.querySelector(".session-q");
  const list = form.querySelector(".session-options");
  const names = new Set(form.dataset.fields.trim().split(/\s+/));
  const value = '(?:"[^"]*"|[^\\s",]+)';
  const term = new RegExp(`(-?)([A-Za-z][A-Za-z_-]*)(<=|>=|!=|[:<>=])(${value}(?:,${value})*)(?=\\s|$)`, "g");

  // The whole expression is what is sent; the field keeps what is still being typed.
  const whole = document.createElement("input");
  whole.type = "hidden";
  whole.name = "q";
  input.removeAttribute("name");
  const tokens = document.createElement("span");
  tokens.className = "session-tokens";
  input.before(whole, tokens);
  let terms = [];
  let sent = null;
  let timer = 0;

  const isTerm = (text) => {
    const match = text.match(new RegExp(`^${term.source}`));
    return match && match[0] === text && names.has(match[2].toLowerCase().replaceAll("_", "-"));
  };
  const text = () => [...terms, input.value.trim()].filter(Boolean).join(" ");
  const draw = () => {
    whole.value = text();
    tokens.replaceChildren(
      ...terms.map((each, at) => {
        const part = document.createElement("span");
        part.className = "desk-token";
        const [, name, rest] = each.match(/^(-?[A-Za-z_-]+(?:<=|>=|!=|[:<>=]))([^]*)$/);
        const strong = document.createElement("b");
        strong.textContent = name;
        const what = document.createElement("span");
        what.className = "clip";
        what.textContent = rest;
        const remove = document.createElement("button");
        remove.type = "button";
        remove.className = "session-remove";
        remove.textContent = "×";
        remove.setAttribute("aria-label", `Remove ${each}`);
        remove.addEventListener("click", () => {
          terms.splice(at, 1);
          send();
          input.focus();
        });
        part.append(strong, what, remove);
        return part;
      }),
    );
  };
  // Takes finished terms out of the field; the one at its end only when it is known to be finished.
  const take = (withLast) => {
    const found = [];
    const left = input.value.replace(term, (match, minus, name, op, rest, at, all) => {
      const before = at === 0 || /\s/.test(all[at - 1]);
      const last = at + match.length === all.length;
      if (!before || (last && !withLast) || !names.has(name.toLowerCase().replaceAll("_", "-"))) return match;
      if ((all.slice(0, at).match(/"/g) ?? []).length % 2) return match;
      found.push(match);
      return "";
    });
    if (!found.length) return false;
    terms.push(...found.filter((each) => !terms.includes(each)));
    input.value = left.replace(/\s+/g, " ").trimStart();
    return true;
  };
  const send = () => {
    clearTimeout(timer);
    draw();
    if (whole.value === sent) return;
    sent = whole.value;
    form.requestSubmit();
  };

  // What may come next.
  let asking = null;
  let active = -1;
  const options = () => [...list.querySelectorAll("[role=option]")];
  const fragment = () => {
    const before = input.value.slice(0, input.selectionStart);
    const quoted = (before.match(/"/g) ?? []).length % 2;
    const at = quoted ? before.lastIndexOf(" ", before.lastIndexOf('"')) : before.lastIndexOf(" ");
    return { from: at + 1, to: input.selectionStart, text: before.slice(at + 1) };
  };
  const close = () => {
    asking?.abort();
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const point = (at) => {
    active = at;
    options().forEach((option, number) => option.setAttribute("aria-selected", String(number === at)));
    const option = options()[at];
    if (option) {
      input.setAttribute("aria-activedescendant", option.id);
      option.scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  };
  const suggest = async (always) => {
    const { text: typed } = fragment();
    if (!typed && !always) return close();
    asking?.abort();
    asking = new AbortController();
    const address = `${form.dataset.complete}?${new URLSearchParams({ term: typed, q: terms.join(" ") })}`;
    try {
      const answer = await fetch(address, { signal: asking.signal, headers: { "HX-Request": "true" } });
      if (!answer.ok || fragment().text !== typed || document.activeElement !== input) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      list.replaceChildren(...page.body.children);
    } catch (error) {
      if (error.name !== "AbortError") close();
      return;
    }
    if (!options().length) return close();
    list.hidden = false;
    list.style.left = `${Math.max(0, Math.min(input.offsetLeft, box.clientWidth - list.offsetWidth))}px`;
    input.setAttribute("aria-expanded", "true");
    point(/[:<>=]./.test(typed) ? 0 : -1);
  };
  const choose = (option) => {
    const { from, to } = fragment();
    const chosen = option.dataset.text;
    input.value = input.value.slice(0, from) + chosen + input.value.slice(to);
    input.setSelectionRange(from + chosen.length, from + chosen.length);
    if (!option.hasAttribute("data-finished")) return suggest(true);
    close();
    take(true);
    send();
  };

  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-expanded", "false");
  input.setAttribute("aria-controls", list.id);
  input.addEventListener("input", () => {
    clearTimeout(timer);
    if (take(false)) return send();
    suggest(false);
    // A term that is still being typed would be a problem: only words are searched as they come.
    if (!/(^|\s)-?[A-Za-z_-]*[:<>=]\S*$/.test(input.value) && (input.value.match(/"/g) ?? []).length % 2 === 0) timer = setTimeout(send, 300);
  });
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const isOpen = !list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!isOpen) return suggest(true);
      const num = options().length;
      point(active < 0 ? (event.key === "ArrowDown" ? 0 : num - 1) : (active + (event.key === "ArrowDown" ? 1 : num - 1)) % num);
    } else if (event.key === "Tab" && isOpen && !event.shiftKey) {
      event.preventDefault();
      choose(options()[Math.max(active, 0)]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (isOpen && active >= 0 && options()[active].dataset.text !== fragment().text) return choose(options()[active]);
      close();
      take(true);
      sent = null;
      send();
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault();
      close();
    } else if (event.key === "Backspace" && !input.selectionStart && !input.selectionEnd && terms.length) {
      event.preventDefault();
      const last = terms.pop();
      input.value = `${last} ${input.value}`.trimEnd();
      input.setSelectionRange(last.length, last.length);
      draw();
      suggest(false);
    }
  });
  input.addEventListener("blur", () => setTimeout(() => list.contains(document.activeElement) || close(), 120));
  list.addEventListener("mousedown", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option) return;
    event.preventDefault();
    choose(option);
  });
  form.addEventListener("submit", () => {
    take(true);
    draw();
    sent = whole.value;
  });
  box.addEventListener("click", (event) => {
    if (event.target === box || event.target === tokens) input.focus();
  });
  take(true);
  draw();
  sent = whole.value;
})();

// Rows: Space selects the one at the cursor; the head's box those of the page.
(() => {
  const picks = () => [...document.querySelectorAll("[data-pick-row]")];
  const show = () => {
    const all = picks();
    const num = all.filter((each) => each.checked).length;
    for (const each of all) each.closest("tr").setAttribute("aria-selected", String(each.checked));
    const head = document.querySelector("[data-pick-all]");
    if (head) {
      head.checked = num > 0 && num === all.length;
      head.indeterminate = num > 0 && num < all.length;
    }
    const everything = document.querySelector("[data-pick-everything]");
    const said = document.querySelector("[data-num-picked]");
    if (said) said.textContent = everything?.checked ? "All" : num;
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-pick-all]")) picks().forEach((each) => { each.checked = event.target.checked; });
    if (event.target.matches("[data-pick-all], [data-pick-row]")) {
      const everything = document.querySelector("[data-pick-everything]");
      if (everything) everything.checked = false;
    }
    if (event.target.matches("[data-pick-all], [data-pick-row], [data-pick-everything]")) show();
  });
  document.addEventListener("reset", () => setTimeout(show));
  document.addEventListener("keydown", (event) => {
    if (event.key !== " " || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !document.body.hasAttribute("data-single-keys")) return;
    const row = event.target.closest("[data-row]") ?? (event.target === document.body ? document.querySelector("[data-row].cursor") : null);
    const pick = row?.querySelector("[data-pick-row]");
    if (!pick || event.target === pick) return;
    event.preventDefault();
    pick.click();
  });
  document.body.addEventListener("htmx:afterSettle", show);
  window.addEventListener("pageshow", show);
  show();
})();
