// Draws a plotly figure in the place of a chart, [data-figure="key"], when its [data-open-figure="key"] is pressed. Figure and plotly are loaded
// then and not before: plotly weighs more than the rest of the desk. Colours are names of the desk's tokens, replaced by what they are in the
// current theme; drawn again when the theme changes.
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
  const figures = new WeakMap();
  const draw = (element) => {
    const figure = themed(figures.get(element));
    window.Plotly.react(element, figure.data, figure.layout, { displayModeBar: false, responsive: true, doubleClick: false, showTips: false });
  };
  let loading;
  const load = (address) =>
    (loading ??= new Promise((done, fail) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = done;
      script.onerror = () => {
        loading = undefined;
        fail(new Error(`${address} cannot be loaded`));
      };
      document.head.append(script);
    }));
  const offer = () => document.querySelectorAll("[data-open-figure]").forEach((button) => (button.hidden = false));
  document.body.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-open-figure]");
    if (!button) return;
    const element = document.querySelector(`[data-figure="${button.dataset.openFigure}"]`);
    button.setAttribute("aria-busy", "true");
    try {
      const [answer] = await Promise.all([fetch(button.dataset.address), load(button.dataset.plotly)]);
      if (!answer.ok) return;
      figures.set(element, await answer.json());
    } finally {
      button.removeAttribute("aria-busy");
    }
    element.replaceChildren();
    draw(element);
    element.tabIndex = -1;
    element.focus({ preventScroll: true });
    button.remove();
  });
  offer();
  new MutationObserver(() => document.querySelectorAll("[data-figure].js-plotly-plot").forEach(draw)).observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] });
  document.body.addEventListener("htmx:afterSettle", offer);
})();
