// Tables that sort, lines that can be told apart, and the numbers behind a cell of the matrix.

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const key = (row, k) => row.cells[k].dataset.by ?? "";
  heads.forEach((head, k) => {
    const button = element("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending" || (k === 0 && !head.hasAttribute("aria-sort"));
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const sign = up ? 1 : -1;
      const rows = [...body.rows].sort((a, b) => {
        const x = key(a, k), y = key(b, k);
        if (x === "" || y === "") return (x === "") - (y === "");
        return sign * (k === 0 || isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y);
      });
      body.append(...rows);
    });
  });
}

const highlight = document.getElementById("highlight");
highlight.closest(".tools").hidden = false;
highlight.addEventListener("change", () => {
  for (const part of document.querySelectorAll("[data-m]")) {
    const on = part.dataset.m === highlight.value;
    part.classList.toggle("on", on);
    if (on && part.tagName === "g") part.parentNode.append(part);
  }
});

// A cell of the matrix says what the list of all pairs holds; the list may have been sorted since.
const listed = document.querySelector("#all-pairs tbody"), known = listed ? [...listed.rows] : [];
document.addEventListener("pointerover", (event) => {
  const cell = event.target instanceof Element ? event.target.closest("[data-pair]") : null;
  if (!cell || !known[cell.dataset.pair]) return;
  const [pair, difference, interval, , p] = [...known[cell.dataset.pair].cells].map((c) => c.textContent);
  const place = cell.getBoundingClientRect();
  tip.show([element("b", pair), element("span", `${difference} ${interval}, p (Holm) ${p}`)], place.right, place.top);
  cell.addEventListener("pointerleave", () => tip.hide(), { once: true });
});
