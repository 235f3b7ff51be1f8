// The label form: one key per answer, drafts saved as they are given. Without this file it is a plain form.
(() => {
  const form = () => document.querySelector("form[data-label]");
  const undone = [];
  let timer = 0;
  let wanted = 0;
  let saving = null;
  let isWarned = false;

  const questions = () => [...form().querySelectorAll("[data-question]")];
  const asked = () => questions().filter((each) => !each.hidden);
  const answer = (name) => form().querySelector(`[name="${name}"]:checked`);
  const boxes = () => [...form().querySelectorAll("[data-also]")].map((token) => document.getElementById(`also-${token.dataset.also}`));
  const active = () => form().querySelector("[data-question].active");

  const activate = (question, scroll = true) => {
    for (const each of questions()) each.classList.toggle("active", each === question);
    if (scroll) question?.scrollIntoView({ block: "nearest" });
  };
  const next = (after) => {
    const open = asked();
    const rest = open.slice(open.indexOf(after) + 1);
    return rest.find((each) => !answer(each.dataset.question)) ?? rest[0] ?? open.at(-1);
  };

  const refresh = () => {
    const outcome = answer("outcome")?.value ?? "";
    for (const each of questions()) {
      const hidden = (each.dataset.unlessOutcome ?? "").split(" ").includes(outcome) && outcome !== "";
      each.hidden = hidden;
      each.querySelectorAll("input").forEach((input) => { input.disabled = hidden; });
      each.classList.toggle("is-optional", outcome !== "" && (each.dataset.optionalOutcome ?? "").split(" ").includes(outcome));
    }
    const primary = answer("primary_cause");
    const beyond = form().querySelector("[data-beyond]");
    if (beyond) {
      beyond.dataset.all ??= /^All /.test(beyond.textContent) ? beyond.textContent : `All ${form().querySelectorAll("[data-cause]").length}…`;
      beyond.textContent = primary?.dataset.short ?? beyond.dataset.all;
      beyond.closest("button").classList.toggle("is-chosen", Boolean(primary?.dataset.short));
    }
    for (const token of form().querySelectorAll("[data-also]")) {
      const box = document.getElementById(`also-${token.dataset.also}`);
      if (box && primary?.value === token.dataset.also) box.checked = false;
      token.hidden = !box?.checked;
    }
    const wrong = form().elements.first_wrong_span_id?.value ?? "";
    document.querySelectorAll("#talk .desk-wrong, #steps .wrong").forEach((each) => each.classList.remove("desk-wrong", "wrong"));
    document.querySelectorAll("#talk .session-why").forEach((each) => { each.hidden = true; });
    if (!wrong) return;
    document.getElementById(`step-${wrong}`)?.classList.add("wrong");
    const part = document.getElementById(`span-${wrong}`);
    if (part?.matches("details")) {
      part.classList.add("desk-wrong");
      part.querySelector(".session-why").hidden = false;
    }
  };

  const snapshot = () => new URLSearchParams(new FormData(form())).toString();
  const restore = (text) => {
    const data = new URLSearchParams(text);
    for (const input of form().querySelectorAll("input[type=radio], input[type=checkbox]")) {
      input.disabled = false;
      input.checked = data.getAll(input.name).includes(input.value);
    }
    form().elements.first_wrong_span_id.value = data.get("first_wrong_span_id") ?? "";
    form().elements.comment.value = data.get("comment") ?? "";
    refresh();
  };
  let before = "";

  const state = (html, text) => {
    const line = document.getElementById("label-state");
    if (!line) return;
    if (html) line.outerHTML = html;
    else line.textContent = text;
  };
  // True when the server has the answers. A request that was sent is answered even after the page has gone.
  const send = async () => {
    const mine = ++wanted;
    const at = form();
    if (!at) return true;
    try {
      const response = await fetch(at.dataset.draftUrl, { method: "POST", body: new FormData(at), headers: { "HX-Request": "true", "HX-Current-URL": location.href }, keepalive: true });
      if (response.ok) isWarned = false;
      if (mine !== wanted || !form()) return response.ok;
      if (response.headers.get("HX-Redirect")) location.assign(response.headers.get("HX-Redirect"));
      else if (response.ok || response.status === 422 || response.status === 409) state(await response.text());
      else state("", "The draft could not be saved; your answers are kept on this page.");
      return response.ok;
    } catch {
      state("", "Offline: your answers are kept on this page.");
      if (mine === wanted) saveIn(5000);
      return false;
    }
  };
  const save = () => {
    clearTimeout(timer);
    timer = 0;
    const mine = send().finally(() => { if (saving === mine) saving = null; });
    saving = mine;
    return mine;
  };
  const saveIn = (milliseconds) => {
    clearTimeout(timer);
    timer = setTimeout(save, milliseconds);
  };
  const changed = () => {
    refresh();
    saveIn(300);
  };

  document.addEventListener("change", (event) => {
    if (!event.target.closest("form[data-label]") || event.target.matches("[data-find-cause]")) return;
    undone.push(before);
    // From now on "undo" is of this answer.
    document.querySelectorAll("#toasts [data-key=u]").forEach((button) => button.removeAttribute("data-key"));
    changed();
    before = snapshot();
    const question = event.target.closest("[data-question]");
    if (question && event.target.type === "radio") {
      const menu = document.getElementById("causes");
      if (menu?.matches(":popover-open")) menu.hidePopover();
      activate(next(question));
    }
  });
  document.addEventListener("input", (event) => {
    if (event.target.id !== "label-comment") return;
    event.target.style.height = "auto";
    event.target.style.height = `${event.target.scrollHeight}px`;
    saveIn(800);
  });

  // Leaving the page waits for what is not saved yet; when that fails, the second try leaves without it.
  const leave = async (event, go) => {
    if (event.defaultPrevented || !form() || !(timer || saving) || isWarned) return;
    event.preventDefault();
    const patience = new Promise((done) => { setTimeout(done, 3000, true); });
    if (await Promise.race([timer ? save() : saving, patience])) go();
    else {
      isWarned = true;
      document.body.dispatchEvent(new CustomEvent("desk:toast", { detail: { text: "The draft of your label could not be saved. Try again to leave without it.", bad: true } }));
    }
  };
  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button || link.target || link.download) return;
    if (link.hash && link.href.split("#")[0] === location.href.split("#")[0]) return;
    leave(event, () => location.assign(link.href));
  });
  addEventListener("submit", (event) => {
    if (event.target.method !== "dialog") leave(event, () => event.target.requestSubmit(event.submitter));
  });
  addEventListener("pagehide", () => { if (timer) save(); });
  // What is sent to be completed holds every answer: a draft of them that came later would be refused.
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    if (!event.detail.elt.matches?.("form[data-label]")) return;
    clearTimeout(timer);
    timer = 0;
  });
  // What was completed is no draft any more.
  document.body.addEventListener("htmx:afterRequest", (event) => {
    if (!event.detail.elt.matches?.("form[data-label]")) return;
    clearTimeout(timer);
    timer = 0;
    if (!event.detail.successful && event.detail.xhr?.status !== 409) saveIn(300);
  });

  const choose = (input) => {
    if (!input) return;
    input.checked = input.type === "checkbox" ? !input.checked : true;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const primary = (key) => choose(form().querySelector(`input[type=radio][name="primary_cause"][value="${CSS.escape(key)}"]`));

  document.addEventListener("click", (event) => {
    if (!form()) return;
    const button = event.target.closest("[data-primary]");
    if (button) primary(button.dataset.primary);
    const question = event.target.closest("[data-question]");
    if (question && !event.target.closest("[popover]") && event.target.closest("legend")) activate(question);
    if (event.target.closest("[data-undo]") && undone.length) {
      event.preventDefault();
      restore(undone.pop());
      before = snapshot();
      changed();
      activate(asked().findLast((each) => answer(each.dataset.question)) ?? asked()[0]);
    }
    if (event.target.closest("[data-mark-wrong]")) {
      const select = form().elements.first_wrong_span_id;
      const id = window.deskSession?.current() ?? "";
      if (![...select.options].some((option) => option.value === id)) {
        document.body.dispatchEvent(new CustomEvent("desk:toast", { detail: { text: "Go to a step first, with j and k or by clicking it; a customer’s message cannot be marked." } }));
        return;
      }
      select.value = select.value === id ? "" : id;
      select.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });

  // A code that begins with the text comes first, then a title with it, then a definition.
  const search = (text) => {
    const wanted = text.trim().toLowerCase();
    const list = form().querySelector("[data-causes] ul");
    const score = (row) => {
      if (!wanted) return 0;
      if (row.dataset.cause.toLowerCase().startsWith(wanted)) return 0;
      if (row.querySelector("b").textContent.toLowerCase().includes(wanted)) return 1;
      return wanted.split(/\s+/).every((word) => row.dataset.words.includes(word)) ? 2 : 9;
    };
    const rows = [...list.children].sort((one, other) => score(one) - score(other) || one.dataset.cause.localeCompare(other.dataset.cause));
    for (const row of rows) row.hidden = score(row) === 9;
    list.append(...rows);
    list.scrollTop = 0;
  };
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-find-cause]")) search(event.target.value);
  });
  document.addEventListener("beforetoggle", (event) => {
    if (!event.target.matches?.("[data-causes]") || event.newState !== "open") return;
    event.target.querySelector("[data-find-cause]").value = "";
    search("");
  }, true);
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("[data-causes]") && event.newState === "open") event.target.querySelector("[data-find-cause]").focus();
  }, true);

  const causesKey = (event) => {
    if (event.key !== "Enter" || !event.target.matches("[data-find-cause]")) return false;
    event.preventDefault();
    const row = form().querySelector("[data-cause]:not([hidden])");
    if (!row || !event.target.value.trim()) return true;
    if (event.shiftKey) choose(document.getElementById(`also-${row.dataset.cause}`));
    else primary(row.dataset.cause);
    return true;
  };

  document.addEventListener("keydown", (event) => {
    if (!form() || event.ctrlKey || event.metaKey || event.altKey || causesKey(event)) return;
    if (!document.body.hasAttribute("data-single-keys") || document.querySelector("dialog[open], :popover-open")) return;
    if (event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select")) return;
    const question = active();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const open = asked();
      const at = open.indexOf(question) + (event.key === "ArrowDown" ? 1 : -1);
      event.preventDefault();
      activate(open[Math.max(0, Math.min(at, open.length - 1))]);
    } else if (event.shiftKey && /^Digit[1-9]$/.test(event.code)) {
      event.preventDefault();
      choose(form().querySelector(`[data-digit-also="${event.code.slice(5)}"]`));
    } else if (/^[1-9]$/.test(event.key) && question) {
      event.preventDefault();
      choose(question.querySelector(`input[data-digit="${event.key}"]`));
    } else if (event.key === "0") {
      const all = form().querySelector("[data-digit='0']");
      if (!all) return;
      event.preventDefault();
      activate(all.closest("[data-question]"));
      // `toggle` comes later than the next key of somebody who types fast.
      document.getElementById("causes").showPopover();
      form().querySelector("[data-find-cause]").focus();
    }
  });

  const start = () => {
    if (!form()) return;
    before = snapshot();
    refresh();
    activate(asked().find((each) => each.getAttribute("aria-invalid")) ?? asked().find((each) => !answer(each.dataset.question)) ?? asked().at(-1), false);
  };
  document.addEventListener("DOMContentLoaded", start);
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target?.id === "label" || event.detail.elt?.id === "label") start();
  });
})();
