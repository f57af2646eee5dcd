// Tabs by the pattern of ARIA's authoring practices: one stop for Tab, arrows go between them.

export function startTabs(list) {
  const tabs = [...list.querySelectorAll("[role=tab]")];

  function select(chosen) {
    for (const tab of tabs) {
      const selected = tab === chosen;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !selected;
    }
    history.replaceState(null, "", `#${chosen.id.replace("tab-", "")}`);
  }

  list.addEventListener("click", ({ target }) => {
    const tab = target.closest("[role=tab]");
    if (tab) select(tab);
  });
  list.addEventListener("keydown", (event) => {
    const here = tabs.indexOf(document.activeElement);
    const places = {
      ArrowRight: (here + 1) % tabs.length,
      ArrowLeft: (here - 1 + tabs.length) % tabs.length,
      Home: 0,
      End: tabs.length - 1,
    };
    if (here < 0 || !(event.key in places)) return;
    event.preventDefault();
    tabs[places[event.key]].focus();
    select(tabs[places[event.key]]);
  });

  const named = tabs.find((tab) => location.hash === `#${tab.id.replace("tab-", "")}`);
  if (named) select(named);
}
