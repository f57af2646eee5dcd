// Keeps the screen on while captions run. Browsers let go of it when the page is hidden: it is asked
// for again once the page is seen.

let wanted = false;
let lock = null;

async function ask() {
  if (!wanted || lock || document.visibilityState !== "visible") return;
  const given = await navigator.wakeLock?.request("screen").catch(() => null);
  if (!given) return;
  if (!wanted || lock) {
    given.release().catch(() => {}); // it came too late, or twice
    return;
  }
  lock = given;
  given.addEventListener("release", () => {
    if (lock === given) lock = null;
  });
}

export function stayAwake(on) {
  wanted = on;
  if (!on) {
    lock?.release().catch(() => {});
    lock = null;
  }
  ask();
}

document.addEventListener("visibilitychange", ask);
