// The last captions in large letters, for a screen in a room.

import { byId } from "./dom.js";

const SIZES = ["small", "medium", "large", "huge"];

export function startPresenter() {
  const dialog = byId("presenter");
  let size = 1;

  function resize(step) {
    size = Math.max(0, Math.min(SIZES.length - 1, size + step));
    dialog.dataset.size = SIZES[size];
  }

  resize(0);
  byId("presenter-smaller").addEventListener("click", () => resize(-1));
  byId("presenter-larger").addEventListener("click", () => resize(1));
  byId("presenter-close").addEventListener("click", () => dialog.close());
  byId("live-present").addEventListener("click", () => dialog.showModal());
}
