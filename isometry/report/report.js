"use strict";
// One tooltip for the page, tabs, chart readings, and the link of the section in view. Nothing here asks the network.

const tip = {
  box: document.getElementById("tip"),
  show(parts, x, y) {
    this.box.replaceChildren(...parts);
    this.box.hidden = false;
    const { offsetWidth: w, offsetHeight: h } = this.box, gap = 16;
    const left = x + gap + w > innerWidth - 8 ? x - gap - w : x + gap;
    const top = y + gap + h > innerHeight - 8 ? y - gap - h : y + gap;
    this.box.style.left = Math.min(Math.max(8, left), Math.max(8, innerWidth - w - 8)) + "px";
    this.box.style.top = Math.max(8, top) + "px";
  },
  hide() { this.box.hidden = true; },
};

function element(tag, text, kind) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

// Pictures: rest on one to see it larger, with its class.
document.addEventListener("pointerover", (event) => {
  const at = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
  if (!at) return;
  const picture = at.querySelector("img"), parts = [];
  if (picture) {
    const large = picture.cloneNode();
    large.removeAttribute("width");
    large.removeAttribute("height");
    parts.push(large);
  }
  parts.push(element("b", at.dataset.tip));
  if (at.dataset.more) parts.push(element("span", at.dataset.more));
  const place = at.getBoundingClientRect();
  tip.show(parts, place.right - 10, place.top);
  at.addEventListener("pointerleave", () => tip.hide(), { once: true });
});
addEventListener("scroll", () => tip.hide(), { passive: true });
addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hide(); });

// Tabs of the retrieval gallery; arrow keys move between them.
for (const list of document.querySelectorAll('[role="tablist"]')) {
  const tabs = [...list.children];
  const select = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
  };
  tabs.forEach((tab, k) => {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(k + step + tabs.length) % tabs.length];
      select(next);
      next.focus();
    });
  });
  select(tabs[0]);
}

// Charts: the reading nearest to the pointer, or moved along with the arrow keys.
for (const chart of document.querySelectorAll("svg.chart")) {
  const data = JSON.parse(chart.dataset.readings);
  if (!data.x.length) continue;
  const draw = (tag, kind) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    made.setAttribute("class", kind);
    return chart.appendChild(made);
  };
  const marks = draw("g", "marks");
  let at = -1;
  const read = (k) => {
    at = Math.min(Math.max(k, 0), data.x.length - 1);
    const x = data.x[at];
    marks.replaceChildren();
    const line = marks.appendChild(document.createElementNS(marks.namespaceURI, "path"));
    line.setAttribute("class", "cross");
    line.setAttribute("d", `M${x} ${data.top}V${data.bottom}`);
    for (const y of data.y[at]) {
      const spot = marks.appendChild(document.createElementNS(marks.namespaceURI, "circle"));
      for (const [name, value] of Object.entries({ class: "spot", cx: x, cy: y, r: 4 })) spot.setAttribute(name, value);
    }
    const [first, ...rest] = data.text[at], place = line.getBoundingClientRect();
    tip.show([element("b", first), ...rest.map((text) => element("span", text))], place.left, place.top);
  };
  const clear = () => { marks.replaceChildren(); tip.hide(); at = -1; };
  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    const x = (event.clientX - box.left) * chart.viewBox.baseVal.width / box.width;
    let best = 0;
    data.x.forEach((value, k) => { if (Math.abs(value - x) < Math.abs(data.x[best] - x)) best = k; });
    read(best);
  });
  chart.addEventListener("pointerleave", clear);
  chart.addEventListener("blur", clear);
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (!step) return;
    event.preventDefault();
    read(at < 0 ? 0 : at + step);
  });
}

// Navigation: mark the section in view.
if ("IntersectionObserver" in window) {
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const watch = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      if (!isIntersecting) continue;
      for (const [id, link] of links) link.classList.toggle("here", id === target.id);
    }
  }, { rootMargin: "-15% 0px -75% 0px" });
  for (const id of links.keys()) watch.observe(document.getElementById(id));
}
