// [data-copy-from]: a link whose answer is copied as text instead of being opened; without JavaScript it is opened.
(() => {
  const say = (text, bad) => document.body.dispatchEvent(new CustomEvent("desk:toast", { detail: { text, bad } }));
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-copy-from]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !navigator.clipboard) return;
    event.preventDefault();
    link.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(link.href);
      if (!response.ok) throw new Error(String(response.status));
      const text = await response.text();
      await navigator.clipboard.writeText(text);
      say(`Copied ${text.length.toLocaleString("en")} characters.`);
    } catch {
      say("It could not be copied. Open the link in a tab of its own to see the text.", true);
    }
    link.removeAttribute("aria-busy");
  });
})();
