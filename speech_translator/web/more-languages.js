// The further languages of a shared session: for those who read along, beside the one shown here.

import { byId, make } from "./dom.js";

const MOST = 4; // the service takes five targets

// target: the picker of the first one; isShared(): whether there is somebody to read them.
export function moreLanguages(target, { isShared, onChange }) {
  const select = byId("live-more");
  const chosen = () => [...select.selectedOptions].map(({ value }) => value).slice(0, MOST);

  function show() {
    const wanted = new Set(chosen());
    const offered = [...target.options].filter(({ value }) => value && value !== target.value);
    select.closest("label").hidden = !isShared() || !offered.length;
    const shown = offered.map(({ value, textContent }) => value + textContent).join();
    if (shown === select.dataset.shown) return; // whoever is in it stays where they are
    select.dataset.shown = shown;
    select.replaceChildren(
      ...offered.map(({ value, textContent }) =>
        make("option", { value, textContent, selected: wanted.has(value) }),
      ),
    );
  }

  select.addEventListener("change", onChange);
  return { show, chosen: () => (isShared() ? chosen() : []) };
}
