// The map under mouse, finger and keys.

import { element, one, picture } from "./page.js";

const REACH = 14, STILL = 5;

// `open` is called with a row, `circled` with rows, `tell` gives a row's name and facts.
export function handle(plate, { open, circled, tell }) {
  const { canvas } = plate, tip = one("tip"), lasso = one("lasso"), fingers = new Map();
  let from = null, far = 0, spread = 0;
  const spot = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  const looping = () => lasso.getAttribute("aria-pressed") === "true";

  function hover(i, x, y) {
    if (i === plate.hovered) { if (i >= 0) place(x, y); return; }
    plate.hovered = i;
    plate.redraw();
    tip.hidden = i < 0;
    canvas.style.cursor = i < 0 ? "" : "pointer";
    if (i < 0) return;
    const { name, facts } = tell(i);
    const image = element("img", { src: picture(plate.points.ids[i]), alt: "", onerror: (event) => event.target.remove() });
    tip.replaceChildren(image, element("b", { text: name }), ...facts.map((fact) => element("span", { text: fact })));
    one("said").textContent = [name, ...facts].join(", ");
    place(x, y);
  }
  function place(x, y) {
    const wide = tip.offsetWidth, high = tip.offsetHeight;
    tip.style.left = `${Math.max(4, Math.min(plate.width - wide - 4, x + 16 + wide > plate.width ? x - wide - 14 : x + 16))}px`;
    tip.style.top = `${Math.max(4, Math.min(plate.height - high - 4, y + 14))}px`;
  }
  const toggle = (on) => { lasso.setAttribute("aria-pressed", String(on)); canvas.classList.toggle("lasso", on); };
  lasso.addEventListener("click", () => toggle(!looping()));

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, spot(event));
    from = spot(event);
    far = 0;
    if (fingers.size === 2) { spread = gap(); plate.lasso = null; }
    else if (event.shiftKey || looping()) plate.lasso = [from];
  });
  const gap = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
  canvas.addEventListener("pointermove", (event) => {
    const at = spot(event), last = fingers.get(event.pointerId);
    if (!last) return event.pointerType === "mouse" && hover(plate.near(...at, REACH), ...at);
    fingers.set(event.pointerId, at);
    far += Math.hypot(at[0] - last[0], at[1] - last[1]);
    if (fingers.size === 2) {
      const now = gap(), [a, b] = [...fingers.values()];
      if (spread > 0 && now > 0) plate.zoom(now / spread, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
      spread = now;
    } else if (plate.lasso) { plate.lasso.push(at); plate.redraw(); }
    else if (far > STILL) { hover(-1); plate.pan(at[0] - last[0], at[1] - last[1]); }
  });
  const end = (event) => {
    if (!fingers.delete(event.pointerId)) return;
    const path = plate.lasso;
    plate.lasso = null;
    if (path && event.type === "pointerup" && path.length > 3) {
      toggle(false);
      circled(plate.inside(path));
    } else if (far <= STILL && event.type === "pointerup") {
      const i = plate.near(...spot(event), REACH + (event.pointerType === "touch" ? 10 : 0));
      if (i >= 0) { hover(-1); open(i); }
    }
    plate.settle();
  };
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, end);
  canvas.addEventListener("pointerleave", () => { if (!fingers.size) hover(-1); });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    hover(-1);
    plate.zoom(Math.exp(-event.deltaY * (event.deltaMode ? .05 : .0018)), ...spot(event));
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => plate.zoom(2, ...spot(event)));
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => plate.zoom(Number(button.dataset.zoom)));

  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "+" || event.key === "=") plate.zoom(1.4);
    else if (event.key === "-") plate.zoom(1 / 1.4);
    else if (event.key === "0") plate.zoom(0);
    else if (event.key === "Enter" && plate.hovered >= 0) open(plate.hovered);
    else if (way) { event.preventDefault(); step(way); }
  });
  function step(way) { // the nearest point on this side; the first is the one in the middle
    const i = plate.hovered >= 0 ? plate.hovered : plate.marks ? plate.marks.query : -1;
    if (i < 0) { const j = plate.near(plate.width / 2, plate.height / 2, 1e6); return j >= 0 && hover(j, ...plate.spot(j)); }
    const { x, y, lit, n } = plate.points, { ax, ay } = plate.frame();
    let best = -1, least = Infinity;
    for (let j = 0; j < n; j++) {
      if (!lit[j]) continue;
      const dx = (x[j] - x[i]) * ax, dy = (y[j] - y[i]) * ay, ahead = dx * way[0] + dy * way[1], aside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
      if (ahead > 4 && aside <= ahead && ahead + 2 * aside < least) [best, least] = [j, ahead + 2 * aside];
    }
    if (best < 0) return;
    plate.bring([best]);
    hover(best, ...plate.spot(best));
  }
  return { clear: () => hover(-1) };
}
