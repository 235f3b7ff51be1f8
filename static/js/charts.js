// Draws plotly figures: [data-figure="id"] beside a <script type="application/json" id="id">. Colours are names of the desk's tokens, replaced by
// what they are in the current theme; drawn again when the theme changes.
(() => {
  const TOKEN = /^var\((--[\w-]+)\)$/;
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const themed = (value) => {
    if (typeof value === "string") {
      const token = TOKEN.exec(value);
      if (token) return token[1] === "--desk-band" ? colour("--desk-ink-3").replace("rgb(", "rgba(").replace(")", ", .16)") : colour(token[1]);
      return value === "inherit" ? getComputedStyle(document.body).fontFamily : value;
    }
    if (Array.isArray(value)) return value.map(themed);
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, themed(inner)]));
    return value;
  };
  const draw = (element) => {
    const source = document.getElementById(element.dataset.figure);
    if (!source || !window.Plotly) return;
    const figure = themed(JSON.parse(source.textContent));
    window.Plotly.react(element, figure.data, figure.layout, { displayModeBar: false, responsive: true, doubleClick: false, showTips: false });
  };
  const all = () => document.querySelectorAll("[data-figure]").forEach(draw);
  all();
  new MutationObserver(all).observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
  document.body.addEventListener("htmx:afterSettle", all);
})();
