// The last captions in large letters, for a screen in a room.

import { byId } from "./dom.js";
import { startSizes } from "./sizes.js";

// opener: the button that shows it.
export function startPresenter(opener) {
  const dialog = byId("presenter");
  startSizes(dialog, byId("presenter-smaller"), byId("presenter-larger"));
  byId("presenter-close").addEventListener("click", () => dialog.close());
  opener.addEventListener("click", () => dialog.showModal());
}
