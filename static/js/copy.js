// [data-copy="id"] copies what stands in the field `id`; without JavaScript the button stays hidden and the field can be selected.
(() => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      field.select();
      try {
        await navigator.clipboard.writeText(field.value);
      } catch {
        document.execCommand("copy");
      }
      document.body.dispatchEvent(new CustomEvent("desk:toast", { detail: { text: "Copied." } }));
    });
  }
})();
