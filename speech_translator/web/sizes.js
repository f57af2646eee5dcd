// Letters in four sizes, by two buttons; the style sheet knows what they are.

const SIZES = ["small", "medium", "large", "huge"];

export function startSizes(element, smaller, larger) {
  let size = 1;

  function resize(step) {
    size = Math.max(0, Math.min(SIZES.length - 1, size + step));
    element.dataset.size = SIZES[size];
  }

  resize(0);
  smaller.addEventListener("click", () => resize(-1));
  larger.addEventListener("click", () => resize(1));
}
