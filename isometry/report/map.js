// The map of the test embeddings. Points are drawn as marks; where there is room, as their pictures.

const map = (() => {
  const canvas = document.getElementById("canvas"), source = document.getElementById("mapdata");
  if (!canvas || !source) return null;
  const data = JSON.parse(source.textContent), n = data.x.length, atlas = document.getElementById("atlas");
  const pen = canvas.getContext("2d"), said = document.getElementById("said"), find = document.getElementById("find");
  const pictures = document.getElementById("pictures"), members = data.names.map(() => []);
  data.c.forEach((c, i) => members[c].push(i));
  const view = { scale: 1, x: 5000, y: 5000 };
  let colour = [], rest = "", ink = "", paper = "", soft = "", wrong = "", width = 0, height = 0;
  let hovered = -1, group = -1, wanted = null, waiting = false;

  function paint() {
    const style = getComputedStyle(document.documentElement), read = (name) => style.getPropertyValue(name).trim();
    colour = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((k) => read(`--g${k}`));
    rest = read("--other");
    [ink, paper, soft, wrong] = ["--ink", "--card", "--soft", "--wrong"].map(read);
    redraw();
  }
  function size() {
    const box = canvas.getBoundingClientRect(), dense = window.devicePixelRatio || 1;
    [width, height] = [box.width, box.height];
    [canvas.width, canvas.height] = [Math.round(width * dense), Math.round(height * dense)];
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    redraw();
  }
  // Each axis is stretched to fill the plate, by at most 1.6 relative to the other: distances on the map have no unit.
  const range = (values) => Math.max(1, Math.max(...values) - Math.min(...values)), wide = range(data.x), high = range(data.y);
  const fit = () => Math.min((width - 80) / wide, (height - 80) / high);
  const across = () => Math.min((width - 80) / wide, 1.6 * fit()) * view.scale;
  const down = () => Math.min((height - 80) / high, 1.6 * fit()) * view.scale;
  const px = (i) => width / 2 + (data.x[i] - view.x) * across();
  const py = (i) => height / 2 + (data.y[i] - view.y) * down();

  const hue = (i) => (data.g[i] === data.other ? rest : colour[data.g[i] % 10]);
  function mark(i, r, kind) {
    const x = px(i), y = py(i);
    pen.beginPath();
    if (kind === 1) pen.rect(x - r * .88, y - r * .88, r * 1.76, r * 1.76);
    else if (kind === 2) { pen.moveTo(x, y - r * 1.2); pen.lineTo(x + r * 1.1, y + r * .85); pen.lineTo(x - r * 1.1, y + r * .85); pen.closePath(); }
    else if (kind === 3) { pen.moveTo(x, y - r * 1.3); pen.lineTo(x + r * 1.3, y); pen.lineTo(x, y + r * 1.3); pen.lineTo(x - r * 1.3, y); pen.closePath(); }
    else pen.arc(x, y, r, 0, 7);
  }
  function dot(i, r, strong) {
    mark(i, r, data.groups.length && !data.plain ? data.g[i] % 4 : 0);
    pen.fillStyle = pen.strokeStyle = hue(i);
    if (data.q[i]) { pen.lineWidth = 1.5; pen.stroke(); } else pen.fill();
    if (strong) { pen.strokeStyle = ink; pen.lineWidth = 1.4; pen.stroke(); }
  }
  function tile(i, context, x, y, side) {
    const [edge, columns] = data.sheet;
    context.drawImage(atlas, i % columns * edge, Math.floor(i / columns) * edge, edge, edge, x, y, side, side);
  }
  function picture(i, side, frame, thick) {
    const x = px(i) - side / 2, y = py(i) - side / 2;
    pen.fillStyle = frame;
    pen.beginPath();
    pen.roundRect ? pen.roundRect(x - thick, y - thick, side + 2 * thick, side + 2 * thick, 4) : pen.rect(x - thick, y - thick, side + 2 * thick, side + 2 * thick);
    pen.fill();
    tile(i, pen, x, y, side);
  }
  const lit = (i) => (group < 0 || data.g[i] === group) && (!wanted || wanted.has(data.c[i]));
  const ready = () => data.sheet && atlas && atlas.complete && atlas.naturalWidth;

  function draw() {
    waiting = false;
    pen.clearRect(0, 0, width, height);
    const r = Math.min(5, 2.7 + view.scale * .35), shown = [], dim = group >= 0 || wanted;
    for (let i = 0; i < n; i++) {
      const x = px(i), y = py(i);
      if (x < -40 || y < -40 || x > width + 40 || y > height + 40) continue;
      shown.push(i);
    }
    pen.globalAlpha = dim ? .13 : .85;
    for (const i of shown) if (!dim || !lit(i)) dot(i, r, false);
    pen.globalAlpha = 1;
    if (dim) for (const i of shown) if (lit(i)) dot(i, r + (wanted ? 2 : .5), Boolean(wanted));
    if (pictures.checked && ready()) spread(shown.filter(lit));
    if (hovered >= 0) highlight();
  }
  // Pictures in a fixed order, each where it covers no other; more appear as one zooms in.
  function spread(shown) {
    const side = Math.min(46, (wanted ? 34 : 26) * view.scale ** .25), room = side + (wanted ? 6 : 16);
    for (const i of shown.sort((a, b) => (a * 7919) % 10007 - (b * 7919) % 10007)) {
      const column = Math.floor(px(i) / room), row = Math.floor(py(i) / room);
      let free = true;
      for (let a = -1; a <= 1 && free; a++) for (let b = -1; b <= 1 && free; b++) {
        const j = spots.get(`${column + a},${row + b}`);
        if (j !== undefined && Math.abs(px(i) - px(j)) < room && Math.abs(py(i) - py(j)) < room) free = false;
      }
      if (!free) continue;
      spots.set(`${column},${row}`, i);
      picture(i, side, hue(i), 2);
    }
    spots.clear();
  }
  const spots = new Map();
  const same = (i, j) => data.graded || (data.c[i] === data.c[j] && data.c[i] !== data.unknown);
  function highlight() {
    for (const j of members[data.c[hovered]]) if (data.c[j] !== data.unknown) dot(j, 6, true);
    pen.lineWidth = 1.6;
    for (const j of data.near[hovered]) {
      pen.beginPath(); pen.moveTo(px(hovered), py(hovered)); pen.lineTo(px(j), py(j));
      pen.strokeStyle = same(hovered, j) ? ink : wrong;
      pen.setLineDash(same(hovered, j) ? [] : [5, 4]);
      pen.stroke();
    }
    pen.setLineDash([]);
    for (const j of [...data.near[hovered]].reverse()) ready() ? picture(j, 30, same(hovered, j) ? ink : wrong, 2) : dot(j, 7, true);
    ready() ? picture(hovered, 46, ink, 3) : dot(hovered, 9, true);
  }
  function redraw() { if (!waiting) { waiting = true; requestAnimationFrame(draw); } }

  function stamp(i, side, kind) {
    const made = element("canvas", undefined, kind), dense = window.devicePixelRatio || 1;
    made.width = made.height = side * dense;
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", data.names[data.c[i]]);
    const context = made.getContext("2d");
    context.imageSmoothingEnabled = data.sheet[0] > 20;
    tile(i, context, 0, 0, side * dense);
    return made;
  }
  function hover(i) {
    if (i === hovered) return;
    hovered = i;
    redraw();
    if (i < 0) { tip.hide(); said.textContent = "\u00a0"; return; }
    const name = data.names[data.c[i]], parts = ready() ? [stamp(i, 104)] : [], facts = [];
    if (data.groups.length && data.groups[data.g[i]] !== name) facts.push(data.groups[data.g[i]]);
    if (data.q[i]) facts.push("in the gallery");
    if (data.v[i] !== null) facts.push(`${data.metric} ${data.v[i].toFixed(3)}`);
    const agree = data.near[i].filter((j) => same(i, j)).length;
    parts.push(element("b", name));
    for (const fact of facts) parts.push(element("span", fact));
    if (ready() && data.near[i].length) {
      const row = element("div", undefined, "near");
      for (const j of data.near[i].slice(0, 6)) row.append(stamp(j, 38, same(i, j) ? "" : "wrong"));
      parts.push(row);
    }
    const far = data.graded && data.far[i] !== null ? `the nearest shown: mean label distance ${data.far[i]}` : "";
    const sentence = data.graded ? far : `${agree} of ${data.near[i].length} nearest shown are of this class`;
    parts.push(element("span", sentence));
    said.textContent = [name, ...facts, sentence].join(" · ");
    const box = canvas.getBoundingClientRect(); // in the upper corner that is away from the point, so that it hides no neighbour
    tip.show(parts, 0, 0);
    const left = px(i) > width / 2 ? box.left + 12 : box.right - 12 - tip.box.offsetWidth;
    tip.box.style.left = `${Math.max(8, left)}px`;
    tip.box.style.top = `${Math.min(Math.max(56, box.top + 12), innerHeight - tip.box.offsetHeight - 8)}px`;
  }
  function nearest(x, y, reach) {
    let best = -1, least = reach * reach;
    for (let i = 0; i < n; i++) {
      if ((group >= 0 || wanted) && !lit(i)) continue;
      const d = (px(i) - x) ** 2 + (py(i) - y) ** 2;
      if (d < least) [best, least] = [i, d];
    }
    return best;
  }
  function zoom(factor, x = width / 2, y = height / 2) {
    const before = [(x - width / 2) / across() + view.x, (y - height / 2) / down() + view.y];
    if (factor) view.scale = Math.min(60, Math.max(.7, view.scale * factor));
    else [view.scale, view.x, view.y] = [1, 5000, 5000];
    if (factor) [view.x, view.y] = [before[0] - (x - width / 2) / across(), before[1] - (y - height / 2) / down()];
    hover(-1);
    redraw();
  }
  return { canvas, data, n, view, find, pictures, px, py, across, down, paint, size, redraw, hover, nearest, zoom, members,
    hovered: () => hovered,
    only(k) { group = group === k ? -1 : k; hover(-1); redraw(); return group; },
    want(classes) { wanted = classes; hover(-1); redraw(); },
    say(text) { said.textContent = text; } };
})();

if (map) {
  const { canvas, data } = map, held = new Map();
  const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  let moved = 0;
  const spreadOf = () => { const [a, b] = [...held.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
  canvas.addEventListener("pointerdown", (event) => { held.set(event.pointerId, at(event)); moved = 0; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = at(event), from = held.get(event.pointerId);
    if (!from) return map.hover(map.nearest(x, y, 22));
    if (held.size === 2) {
      const before = spreadOf();
      held.set(event.pointerId, [x, y]);
      const [a, b] = [...held.values()];
      return map.zoom(spreadOf() / Math.max(before, 1), (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
    }
    moved += Math.abs(x - from[0]) + Math.abs(y - from[1]);
    held.set(event.pointerId, [x, y]);
    if (moved < 4) return;
    canvas.classList.add("held");
    map.view.x -= (x - from[0]) / map.across();
    map.view.y -= (y - from[1]) / map.down();
    map.hover(-1);
    map.redraw();
  });
  const release = (event) => {
    const [x, y] = at(event);
    held.delete(event.pointerId);
    canvas.classList.remove("held");
    if (event.type === "pointerup" && moved < 4) map.hover(map.nearest(x, y, 30));
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => { if (!held.size && document.activeElement !== canvas) map.hover(-1); });
  canvas.addEventListener("dblclick", (event) => map.zoom(2, ...at(event)));
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return; // the page scrolls until the map is in use
    event.preventDefault();
    map.zoom(Math.exp(-event.deltaY * .0016), ...at(event));
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (event.key === "+" || event.key === "=") map.zoom(1.4);
    else if (event.key === "-") map.zoom(1 / 1.4);
    else if (event.key === "Escape") { map.hover(-1); map.find.value = ""; map.want(null); }
    else if (way) {
      event.preventDefault();
      const i = map.hovered();
      if (i < 0) return map.hover(map.nearest(canvas.clientWidth / 2, canvas.clientHeight / 2, 1e5));
      let best = -1, least = Infinity;
      for (let j = 0; j < map.n; j++) {
        const [dx, dy] = [map.px(j) - map.px(i), map.py(j) - map.py(i)], ahead = dx * way[0] + dy * way[1];
        const aside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
        if (ahead > .5 && aside <= ahead && ahead + 2 * aside < least) [best, least] = [j, ahead + 2 * aside];
      }
      if (best >= 0) map.hover(best);
    }
  });
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => map.zoom(Number(button.dataset.zoom)));
  for (const button of document.querySelectorAll(".group")) button.addEventListener("click", () => {
    const chosen = map.only(Number(button.dataset.group));
    for (const other of document.querySelectorAll(".group")) other.setAttribute("aria-pressed", String(Number(other.dataset.group) === chosen));
  });
  map.pictures.addEventListener("change", () => map.redraw());
  document.getElementById("names").append(...data.names.slice(0, 3000).map((name) => { const option = element("option"); option.value = name; return option; }));
  map.find.addEventListener("input", () => {
    const text = map.find.value.trim().toLowerCase();
    if (!text) { map.want(null); return map.say("\u00a0"); }
    const exact = data.names.flatMap((name, c) => (name.toLowerCase() === text ? [c] : []));
    const classes = exact.length ? exact : data.names.flatMap((name, c) => (name.toLowerCase().includes(text) ? [c] : []));
    map.want(new Set(classes));
    const items = classes.reduce((sum, c) => sum + map.members[c].length, 0);
    map.say(classes.length ? `${classes.length} ${classes.length === 1 ? "class" : "classes"}, ${items} shown: ` + classes.slice(0, 5).map((c) => data.names[c]).join(", ") : "No shown class has that in its name.");
  });
  const atlas = document.getElementById("atlas");
  if (atlas) atlas.addEventListener("load", map.redraw);
  new ResizeObserver(map.size).observe(canvas);
  for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", map.paint);
  map.size();
  map.paint();
}
