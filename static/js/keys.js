// One keyboard for the whole desk. A key presses the visible control that carries it:
//   data-key="y"            the key (KeyboardEvent.key; "Ctrl+Enter", "Shift+E" for chords)
//   data-key-help="…"       what it does, for the help; otherwise the control's own words
//   data-go="s"             pressed after `o`
//   data-key-anywhere       works although the control is in a closed menu
//   data-key-first          goes before other controls with the same key
//                           (else the one in the row under the cursor does, else the first on the page)
//   data-key-leaves-fields  of Escape: in a field it only leaves the field
//   data-keys-help="j k: next, previous row"   keys that a list handles itself
// No control, no key. Single keys can be turned off in the profile (WCAG 2.1.4).
(() => {
  const body = document.body;
  const help = document.getElementById("desk-help");
  let going = 0;

  const visible = (element) =>
    (element.getClientRects().length > 0 || element.hasAttribute("data-key-anywhere")) && !element.closest("[inert]");
  const typing = (element) =>
    element.closest("input:not([type=radio], [type=checkbox], [type=button], [type=submit]), textarea, select, [contenteditable]");
  const chord = (event) => {
    const parts = [];
    if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
    if (event.altKey) parts.push("Alt");
    if (event.shiftKey && event.key.length > 1) parts.push("Shift");
    if (event.shiftKey && /^[A-Z]$/.test(event.key)) parts.push("Shift");
    if (event.shiftKey && /^Digit\d$/.test(event.code)) return `Shift+${event.code.slice(5)}`;
    parts.push(event.key);
    return parts.join("+");
  };
  const scope = () => {
    const dialogs = document.querySelectorAll("dialog[open]");
    return dialogs.length ? dialogs[dialogs.length - 1] : document;
  };
  const control = (name, within) => {
    const found = [...within.querySelectorAll("[data-key]")].filter((element) => element.dataset.key === name && visible(element) && element.getAttribute("aria-disabled") !== "true" && !element.disabled);
    const first = found.find((element) => element.hasAttribute("data-key-first"));
    return first ?? found.find((element) => element.closest("[data-row].cursor")) ?? found[0];
  };
  const press = (element) => {
    if (element.matches("input:not([type=radio], [type=checkbox]), textarea, select")) {
      element.focus();
      if (element.matches("textarea")) element.setSelectionRange(element.value.length, element.value.length);
      else element.select?.();
    } else element.click();
  };

  const words = (element) => {
    if (element.dataset.keyHelp) return element.dataset.keyHelp;
    if (element.getAttribute("aria-label")) return element.getAttribute("aria-label");
    const copy = element.cloneNode(true);
    copy.querySelectorAll("kbd, .sr, .desk-count").forEach((part) => part.remove());
    return (copy.textContent || element.placeholder || "").trim();
  };
  const line = (list, caps, text) => {
    const term = document.createElement("dt");
    for (const cap of caps.split(" ")) {
      const key = document.createElement("kbd");
      key.className = "desk-key";
      key.textContent = cap.replace("Shift+", "⇧").replace("Enter", "↵").replace("+", " ");
      term.append(key);
    }
    const what = document.createElement("dd");
    what.textContent = text;
    keysOf(list).append(term, what);
  };
  // What stands under one heading is one list.
  const keysOf = (list) => {
    if (list.lastElementChild?.tagName !== "DL") list.append(document.createElement("dl"));
    list.lastElementChild.classList.add("desk-keys");
    return list.lastElementChild;
  };
  const heading = (list, text) => {
    const title = document.createElement("h3");
    title.textContent = text;
    list.append(title);
  };
  const openHelp = () => {
    const list = help.querySelector("[data-help-list]");
    list.replaceChildren();
    const single = body.hasAttribute("data-single-keys");
    if (!single) {
      const note = document.createElement("h3");
      note.textContent = "Single keys are turned off in your profile.";
      list.append(note);
    }
    const seen = new Map();
    for (const element of document.querySelectorAll("[data-key]")) {
      const name = element.dataset.key;
      if (visible(element) && !seen.has(name) && (single || name.includes("+") || name === "Escape")) seen.set(name, words(element));
    }
    for (const element of document.querySelectorAll("[data-keys-help]")) {
      for (const entry of element.dataset.keysHelp.split(";")) {
        const at = entry.lastIndexOf(": ");
        if (single || entry.includes("Enter")) seen.set(entry.slice(0, at).trim(), entry.slice(at + 2).trim());
      }
    }
    for (const [caps, text] of seen) line(list, caps, text);
    const links = [...document.querySelectorAll("[data-go]")].filter(visible);
    if (links.length && single) {
      heading(list, "Everywhere");
      for (const link of links) line(list, `o ${link.dataset.go}`, words(link));
    } else heading(list, "Everywhere");
    if (single) line(list, "?", "This help");
    line(list, "Esc", "Close, leave the field");
    for (const more of document.querySelectorAll("[data-help-also]")) {
      heading(list, more.dataset.helpAlso);
      keysOf(list).classList.add("is-words");
      for (const entry of more.querySelectorAll("dt")) keysOf(list).append(entry.cloneNode(true), entry.nextElementSibling.cloneNode(true));
    }
    help.showModal();
  };
  document.querySelectorAll("[data-help]").forEach((button) => button.addEventListener("click", openHelp));

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const inField = typing(event.target);
    if (event.repeat && event.key === "Enter" && event.target.closest("[data-once]")) {
      event.preventDefault();
      return;
    }
    if (event.key === "Escape") {
      const back = document.querySelector("dialog[open], :popover-open") ? null : control("Escape", document);
      if (back && !(inField && back.hasAttribute("data-key-leaves-fields"))) {
        event.preventDefault();
        press(back);
      } else if (inField && !document.querySelector("dialog[open], :popover-open")) event.target.blur();
      return;
    }
    const name = chord(event);
    const within = scope();
    if (event.ctrlKey || event.metaKey || event.altKey) {
      const found = control(name.replace("Meta", "Ctrl"), within);
      if (found) {
        event.preventDefault();
        press(found);
      }
      return;
    }
    if (inField || !body.hasAttribute("data-single-keys") || document.querySelector(":popover-open")) return;
    if (within !== document) {
      return;
    }
    if (Date.now() - going < 1500) {
      going = 0;
      const link = [...document.querySelectorAll("[data-go]")].find((element) => element.dataset.go === event.key);
      if (link) {
        event.preventDefault();
        link.click();
      }
      return;
    }
    if (event.key === "o" && document.querySelector("[data-go]")) {
      going = Date.now();
      event.preventDefault();
      return;
    }
    if (event.key === "?") {
      event.preventDefault();
      openHelp();
      return;
    }
    // What is typed before the form that a key opened has come must not press another one.
    if (document.querySelector("[data-saving], [data-key].htmx-request, [data-pick].htmx-request, form.htmx-request [data-key]")) return;
    if ((event.key === "Enter" || event.key === " ") && event.target.closest("a, button, summary, input, [tabindex='0']")) return;
    const found = control(name, document);
    if (found) {
      event.preventDefault();
      // A key that is held down decides one thing.
      if (!event.repeat || found.type !== "submit") press(found);
    }
  });
})();
