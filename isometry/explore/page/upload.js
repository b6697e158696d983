// A picture to search for: dropped anywhere, pasted, or chosen.

import { ask, go, one, trouble } from "./page.js";

export function take() {
  const drop = one("drop"), file = one("file"), choose = one("choose");
  let inside = 0;
  choose.addEventListener("click", () => file.click());
  file.addEventListener("change", () => { search(file.files[0]); file.value = ""; });
  addEventListener("dragenter", (event) => { event.preventDefault(); inside++; drop.hidden = false; });
  addEventListener("dragleave", () => { inside = Math.max(0, inside - 1); drop.hidden = !inside; });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    drop.hidden = true;
    search(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => {
    const picture = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
    if (picture) { event.preventDefault(); search(picture); }
    else if (!["INPUT", "TEXTAREA"].includes(document.activeElement.tagName)) trouble(new Error("There is no picture in the clipboard: copy one first."));
  });
}

async function search(file) {
  if (!file) return trouble(new Error("No picture came with that: drop a file, or copy the picture and paste it."));
  const panel = one("panel");
  panel.setAttribute("aria-busy", "true");
  try {
    const { name } = await ask("/api/search", { method: "POST", body: file, headers: { "content-type": "application/octet-stream" } });
    go({ view: "picture", what: name });
  } catch (error) { trouble(error); } finally { panel.removeAttribute("aria-busy"); }
}
