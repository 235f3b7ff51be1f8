// The form that starts a run: the versions and the demo's customers follow the agent, and a customer keeps what is chosen.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("start");
  if (!form) return;
  const agents = JSON.parse(document.getElementById("agents").textContent);
  const { agent, version } = form.elements;
  const customers = document.getElementById("demo-customers");
  const all = [...version.options];

  const follow = () => {
    const chosen = agents[agent.value];
    const kept = version.value;
    all[0].textContent = chosen.live;
    version.replaceChildren(...all.filter((option) => !option.value || chosen.versions.includes(option.value)));
    version.value = chosen.versions.includes(kept) ? kept : "";
    if (customers) customers.hidden = !chosen.is_demo;
  };
  agent.addEventListener("change", follow);
  addEventListener("pageshow", follow);
  follow();

  customers?.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link) return;
    const url = new URL(link.href);
    url.searchParams.set("agent", agent.value);
    url.searchParams.set("version", version.value);
    link.href = url.href;
  });
});
