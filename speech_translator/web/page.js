// The page: three tabs over the service that serves it, and nothing from elsewhere.

import { startAccess } from "./access.js";
import { byId } from "./dom.js";
import { startFilesTab } from "./files-tab.js";
import { loadLanguages } from "./languages.js";
import { startLiveTab } from "./live-tab.js";
import { startTabs } from "./tabs.js";
import { startTextTab } from "./text-tab.js";
import { pageLanguage, setPageLanguage, translateDocument } from "./texts.js";

translateDocument();
const choice = byId("page-language");
choice.value = pageLanguage();
choice.addEventListener("change", () => setPageLanguage(choice.value));

startTabs(document.querySelector("[role=tablist]"));
const shows = [startLiveTab(), startTextTab(), startFilesTab()];
startAccess({
  async onGrown() {
    await loadLanguages();
    shows.forEach((show) => show());
  },
});
