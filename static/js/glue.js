// htmx and the rest of the page: toasts, failed requests, the pressed button.
(() => {
  const toasts = document.getElementById("toasts");

  const show = (text, bad) => {
    const toast = document.createElement("div");
    toast.className = bad ? "desk-toast bad" : "desk-toast";
    toast.dataset.toast = bad ? "stay" : "";
    toast.textContent = text;
    toasts.append(toast);
    fade(toast);
  };
  const fade = (toast) => {
    setTimeout(() => toast.remove(), toast.dataset.toast === "stay" ? 15000 : 5000);
  };
  toasts.querySelectorAll("[data-toast]").forEach(fade);
  toasts.addEventListener("htmx:afterSettle", () => toasts.querySelectorAll("[data-toast]").forEach(fade));
  // What is appended out of band settles without an event of its own; it stands there a moment later.
  toasts.addEventListener("htmx:oobBeforeSwap", () => setTimeout(() => toasts.querySelectorAll("[data-toast]").forEach(fade)));
  document.body.addEventListener("desk:toast", (event) => show(event.detail.text, event.detail.bad));

  document.body.addEventListener("htmx:responseError", (event) => {
    show(`The desk answered with an error (${event.detail.xhr.status}). Nothing was saved by this; try again.`, true);
  });
  document.body.addEventListener("htmx:sendError", (event) => {
    if (!event.detail.elt.hasAttribute("data-quiet")) show("The desk cannot be reached. Nothing was saved by this; try again.", true);
  });

  const pressed = (event) => {
    const from = event.detail.requestConfig?.triggeringEvent?.submitter ?? event.detail.elt;
    return from.closest?.("button, .btn");
  };
  document.body.addEventListener("htmx:beforeSend", (event) => pressed(event)?.setAttribute("aria-busy", "true"));
  document.body.addEventListener("htmx:afterRequest", (event) => pressed(event)?.removeAttribute("aria-busy"));

  // The tab that is open stands in sight where there are more than fit.
  document.querySelectorAll(".desk-tabs [aria-current]").forEach((tab) => {
    const tabs = tab.closest(".desk-tabs");
    const over = tab.getBoundingClientRect().right - tabs.getBoundingClientRect().right;
    if (over > 0) tabs.scrollLeft += over + 24;
  });

  // A refused form: the first field with an error gets the focus; what is wrong with the whole form comes into sight.
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (![409, 422].includes(event.detail.xhr?.status)) return;
    // After a swap of the whole element `detail.target` is the one that is gone.
    const field = event.detail.xhr.status === 422 ? event.target.querySelector("[aria-invalid='true']") : null;
    field?.focus();
    (field ?? event.target.querySelector("[role='alert']"))?.scrollIntoView({ block: "center" });
  });

  // Dialogs: [data-open="id"] opens, a form in it may carry data-close to close on success.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (!opener) return;
    const dialog = document.getElementById(opener.dataset.open);
    if (!dialog) return;
    event.preventDefault();
    dialog.showModal();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  });
  // A link whose page is shown in a dialog: data-dialog is the id of the element that it is swapped into.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    window.htmx.ajax("GET", link.href, { target: `#${link.dataset.dialog}`, source: link });
  });
  // A dialog that opens when something is swapped into it.
  document.body.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.matches?.("[data-dialog-on-swap]")) event.detail.target.closest("dialog")?.showModal();
  });
  // What stands beside a radio chooses it when it is used.
  document.addEventListener("change", (event) => {
    const radio = event.target.matches("select") && event.target.closest("[data-radio-row]")?.querySelector("input[type=radio]");
    if (radio && !radio.disabled) radio.checked = true;
  });
  // A form whose change is its submission (filters); without JavaScript it has its button.
  document.addEventListener("change", (event) => {
    if (event.target.closest("[data-submit-on-change]")) event.target.form?.requestSubmit();
  });
})();
