// The map: all points at any zoom, pictures where there is room, the query and what it finds.

import { picture } from "./page.js";
import { Raster, packed } from "./raster.js";

const HUES = 10, PATIENCE = 14, LEAST = 15000, ROOM = 60, MARGIN = 36;

export class Plate {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d");
    this.raster = new Raster();
    this.view = { scale: 1, x: .5, y: .5 };
    this.pictures = { on: true, chosen: [], loaded: new Map(), loading: 0, wanted: [] };
    this.hovered = -1;
    this.marks = null; // {query, spot, found: [{row, right}]}
    this.stats = { ms: 0, drawn: 0, whole: true };
    this.share = 1;
    new ResizeObserver(() => this.resize()).observe(canvas);
  }
  // Columns as the server sends them: see `points` of the server.
  load(points) {
    this.points = points;
    const n = points.n, order = new Uint32Array(n).map((_, i) => i);
    let seed = 12345; // a fixed shuffle: no class lies on top, and a first part is a fair sample
    for (let i = n - 1; i > 0; i--) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      const j = Math.floor(seed / 4294967296 * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    Object.assign(points, { order, lit: new Uint8Array(n).fill(1), colours: new Uint32Array(n), crossed: null });
    this.lit = n;
    this.whole();
  }
  whole() { // the points' box, to fill the plate; an axis is stretched by at most 1.6
    const { x, y, n } = this.points;
    let [left, right, top, low] = [1, 0, 1, 0];
    for (let i = 0; i < n; i++) { left = Math.min(left, x[i]); right = Math.max(right, x[i]); top = Math.min(top, y[i]); low = Math.max(low, y[i]); }
    this.box = { wide: Math.max(1e-6, right - left), high: Math.max(1e-6, low - top) };
    this.centre = { x: (left + right) / 2, y: (top + low) / 2 };
    this.view = { scale: 1, ...this.centre };
    this.settle();
  }
  paint(colourOf, crossed) { // colours come from the style, so that they follow light and dark
    const probe = document.createElement("i");
    document.body.append(probe);
    const read = (name) => { probe.style.color = `var(--${name})`; return getComputedStyle(probe).color; };
    this.hues = Array.from({ length: HUES }, (_, k) => packed(read(`g${k}`)));
    this.other = packed(read("other"));
    [this.paper, this.ink, this.right, this.wrong, this.accent] = ["plate", "ink", "right", "wrong", "accent"].map(read);
    this.hueText = Array.from({ length: HUES }, (_, k) => read(`g${k}`));
    probe.remove();
    if (!this.points) return;
    this.colourOf = colourOf;
    const { colours, n } = this.points, named = { right: packed(this.right), wrong: packed(this.wrong) };
    for (let i = 0; i < n; i++) {
      const hue = colourOf(i);
      colours[i] = typeof hue === "string" ? named[hue] : hue < 0 ? this.other : this.hues[hue % HUES];
    }
    this.points.crossed = crossed;
    this.settle();
  }
  filter(admit) {
    const { lit, n } = this.points;
    this.lit = 0;
    for (let i = 0; i < n; i++) this.lit += lit[i] = admit(i) ? 1 : 0;
    this.settle();
    return this.lit;
  }
  resize() {
    const box = this.canvas.getBoundingClientRect(), dense = Math.min(2, devicePixelRatio || 1);
    [this.width, this.height, this.dense] = [box.width, box.height, dense];
    [this.canvas.width, this.canvas.height] = [Math.round(box.width * dense), Math.round(box.height * dense)];
    this.pen.setTransform(dense, 0, 0, dense, 0, 0);
    this.settle();
  }
  frame() { // pixels = place * a + b
    const room = [this.width - 2 * MARGIN, this.height - 2 * MARGIN], { wide, high } = this.box;
    const fit = Math.max(1, Math.min(room[0] / wide, room[1] / high)), { scale, x, y } = this.view;
    const ax = Math.min(Math.max(1, room[0] / wide), 1.6 * fit) * scale, ay = Math.min(Math.max(1, room[1] / high), 1.6 * fit) * scale;
    return { ax, bx: this.width / 2 - x * ax, ay, by: this.height / 2 - y * ay };
  }
  spot(i) { const f = this.frame(); return [this.points.x[i] * f.ax + f.bx, this.points.y[i] * f.ay + f.by]; }
  zoom(by, px = this.width / 2, py = this.height / 2) {
    if (!by) return this.whole();
    const before = this.frame(), [wx, wy] = [(px - before.bx) / before.ax, (py - before.by) / before.ay];
    this.view.scale = Math.min(4000, Math.max(.5, this.view.scale * by));
    const after = this.frame();
    this.view.x = wx - (px - this.width / 2) / after.ax;
    this.view.y = wy - (py - this.height / 2) / after.ay;
    this.move();
  }
  pan(dx, dy) { const f = this.frame(); this.view.x -= dx / f.ax; this.view.y -= dy / f.ay; this.move(); }
  bring(rows) { // shows these points, if they are not on the plate
    const f = this.frame(), spots = rows.map((i) => this.spot(i));
    if (!spots.length || spots.every(([x, y]) => x > 30 && y > 30 && x < this.width - 30 && y < this.height - 30)) return;
    const [x, y] = [this.points.x[rows[0]], this.points.y[rows[0]]];
    Object.assign(this.view, { x, y });
    if (f.ax > 0) this.settle();
  }
  closer() { // zooms to the query and what it finds
    const { marks, points: { x, y } } = this;
    if (!marks) return;
    const rows = [marks.query, ...marks.found.map(({ row }) => row)].filter((i) => i >= 0), xs = rows.map((i) => x[i]).sort((a, b) => a - b), ys = rows.map((i) => y[i]).sort((a, b) => a - b);
    if (!rows.length) return;
    const middle = Math.floor(rows.length / 2), least = .004, high = (values) => Math.max(least, values[Math.ceil(.85 * (rows.length - 1))] - values[Math.floor(.15 * (rows.length - 1))]);
    Object.assign(this.view, { x: marks.query >= 0 ? x[marks.query] : xs[middle], y: marks.query >= 0 ? y[marks.query] : ys[middle] });
    this.view.scale = Math.max(1, Math.min(400, .3 * Math.min(this.box.wide / high(xs), this.box.high / high(ys))));
    this.settle();
  }
  near(px, py, reach) {
    const { x, y, lit, n } = this.points, { ax, bx, ay, by } = this.frame();
    let best = -1, least = reach * reach;
    for (let i = 0; i < n; i++) {
      if (!lit[i]) continue;
      const dx = x[i] * ax + bx - px, dy = y[i] * ay + by - py, far = dx * dx + dy * dy;
      if (far < least) { least = far; best = i; }
    }
    return best;
  }
  inside(path) { // rows of lit points inside a closed path of pixels
    const { x, y, lit, n } = this.points, { ax, bx, ay, by } = this.frame(), found = [];
    for (let i = 0; i < n; i++) {
      if (!lit[i]) continue;
      const px = x[i] * ax + bx, py = y[i] * ay + by;
      let odd = false;
      for (let a = 0, b = path.length - 1; a < path.length; b = a++) {
        const [xa, ya] = path[a], [xb, yb] = path[b];
        if ((ya > py) !== (yb > py) && px < (xb - xa) * (py - ya) / (yb - ya) + xa) odd = !odd;
      }
      if (odd) found.push(i);
    }
    return found;
  }

  // While it moves, as many points as a frame has time for, at one pixel a pixel; at rest, all of them, sharply.
  move() { this.moving = true; clearTimeout(this.rest); this.rest = setTimeout(() => this.settle(), 120); this.redraw(); }
  settle() { clearTimeout(this.rest); this.moving = false; this.choose = true; this.redraw(); }
  redraw() { if (!this.waiting && this.points && this.width) { this.waiting = true; requestAnimationFrame(() => this.draw()); } }
  draw() {
    this.waiting = false;
    if (!this.paper || !this.width) return;
    const start = performance.now(), { n } = this.points, f = this.frame(), { raster } = this, dimmed = this.lit < n;
    raster.size(this.width, this.height, this.moving ? 1 : this.dense);
    raster.clear(packed(this.paper));
    const most = this.moving ? Math.max(LEAST, Math.ceil(n * this.share)) : n, r = this.radius();
    if (dimmed) raster.scatter(this.points, f, 0, Math.min(r, 1.3), 46, Math.min(n, most));
    const drawn = raster.scatter(this.points, f, 1, r, dimmed ? 235 : 205, Math.min(n, most));
    raster.show();
    this.pen.drawImage(raster.canvas, 0, 0, this.width, this.height);
    if (this.pictures.on) this.album(f);
    if (this.marks) this.mark(f);
    if (this.hovered >= 0) this.ring(this.spot(this.hovered), 9, this.ink, 2.5);
    if (this.lasso) this.loop();
    const ms = performance.now() - start;
    if (this.moving) this.share = Math.min(1, Math.max(.02, this.share * Math.min(1.5, Math.max(.4, PATIENCE / ms))));
    this.stats = { ms, drawn, whole: most >= n };
  }
  radius() { return Math.min(5, Math.min(3.2, Math.max(1, 240 / Math.sqrt(this.points.n))) * this.view.scale ** .3); }

  album(f) { // pictures in a fixed order, each where it covers no other; while it moves, those there are
    const { points, pictures, width, height } = this, side = Math.min(64, 30 * this.view.scale ** .22), room = side + (this.lit < points.n ? 8 : ROOM / 3);
    if (this.choose) {
      const taken = new Map(), chosen = [];
      for (let j = 0; j < points.n && chosen.length < 320; j++) {
        const i = points.order[j];
        if (!points.lit[i]) continue;
        const x = points.x[i] * f.ax + f.bx, y = points.y[i] * f.ay + f.by, column = Math.floor(x / room), row = Math.floor(y / room);
        if (x < -side || y < -side || x > width + side || y > height + side || taken.has(column * 4096 + row)) continue;
        let free = true;
        for (let a = -1; a <= 1 && free; a++) for (let b = -1; b <= 1 && free; b++) {
          const there = taken.get((column + a) * 4096 + row + b);
          free = !there || Math.abs(there[0] - x) >= room || Math.abs(there[1] - y) >= room;
        }
        if (free) { taken.set(column * 4096 + row, [x, y]); chosen.push(i); }
      }
      pictures.chosen = chosen;
      this.choose = false;
    }
    for (const i of pictures.chosen) this.thumb(i, points.x[i] * f.ax + f.bx, points.y[i] * f.ay + f.by, side, this.hue(i), 2);
  }
  hue(i) { const hue = this.colourOf(i); return typeof hue === "string" ? this[hue] : hue < 0 ? "#888" : this.hueText[hue % HUES]; }
  thumb(i, x, y, side, frame, thick) {
    return this.framed(this.image(i), x, y, side, frame, thick);
  }
  framed(image, x, y, side, frame, thick) {
    if (!image || !image.complete || !image.naturalWidth) return false;
    const shrink = side / Math.max(image.naturalWidth, image.naturalHeight), w = image.naturalWidth * shrink, h = image.naturalHeight * shrink;
    this.pen.fillStyle = frame;
    this.pen.fillRect(x - w / 2 - thick, y - h / 2 - thick, w + 2 * thick, h + 2 * thick);
    this.pen.imageSmoothingQuality = "high";
    this.pen.drawImage(image, x - w / 2, y - h / 2, w, h);
    return true;
  }
  image(i) { // asks for pictures a few at a time, and keeps the last two thousand
    const { pictures } = this, known = pictures.loaded.get(i);
    if (known) return known.complete && known.naturalWidth ? known : null;
    if (pictures.loading >= 12 || this.moving) { this.later = true; return null; }
    const image = new Image();
    pictures.loading++;
    image.onload = image.onerror = () => { pictures.loading--; this.redraw(); };
    image.src = picture(this.points.ids[i]);
    pictures.loaded.set(i, image);
    if (pictures.loaded.size > 2000) pictures.loaded.delete(pictures.loaded.keys().next().value);
    return null;
  }
  mark(f) { // the query, lines to what it finds: solid and round where right, dashed and square where wrong
    const { pen, marks } = this, from = marks.query >= 0 ? this.spot(marks.query) : marks.spot && [marks.spot[0] * f.ax + f.bx, marks.spot[1] * f.ay + f.by];
    if (!from) return;
    for (const { row, right } of marks.found) {
      const [x, y] = this.spot(row);
      pen.strokeStyle = right === 0 ? this.wrong : right === 1 ? this.right : this.ink;
      pen.lineWidth = 1.4;
      pen.setLineDash(right === 0 ? [4, 4] : []);
      pen.beginPath(); pen.moveTo(...from); pen.lineTo(x, y); pen.stroke();
      pen.setLineDash([]);
      pen.lineWidth = 2;
      pen.fillStyle = this.paper;
      pen.beginPath();
      right === 0 ? pen.rect(x - 4.5, y - 4.5, 9, 9) : pen.arc(x, y, 5, 0, 7);
      pen.fill(); pen.stroke();
    }
    if (!this.framed(marks.own || this.image(marks.query), ...from, 44, this.accent, 3)) this.ring(from, 9, this.accent, 4);
  }
  ring([x, y], r, colour, thick) { const { pen } = this; pen.beginPath(); pen.arc(x, y, r, 0, 7); pen.strokeStyle = colour; pen.lineWidth = thick; pen.stroke(); }
  loop() {
    const { pen } = this;
    pen.beginPath();
    this.lasso.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.setLineDash([5, 4]); pen.strokeStyle = this.ink; pen.lineWidth = 1.5; pen.stroke(); pen.setLineDash([]);
  }
}
