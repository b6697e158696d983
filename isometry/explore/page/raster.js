// Points into pixels, without a graphics card: discs with soft edges blended into an array. A hundred thousand take milliseconds.

const stamps = new Map();

// The pixels of a mark and how much each is covered, of 256: a disc, or a cross for errors.
function stamp(radius, cross) {
  const name = `${radius.toFixed(2)}${cross}`, known = stamps.get(name);
  if (known) return known;
  const reach = Math.ceil(radius + .5), dx = [], dy = [], cover = [];
  for (let y = -reach; y <= reach; y++) for (let x = -reach; x <= reach; x++) {
    const away = cross
      ? Math.max(Math.abs(Math.abs(x) - Math.abs(y)) - Math.max(.5, radius * .3), Math.max(Math.abs(x), Math.abs(y)) - radius)
      : Math.hypot(x, y) - radius;
    const share = Math.min(1, Math.max(0, .5 - away));
    if (share > .03) { dx.push(x); dy.push(y); cover.push(Math.round(256 * share)); }
  }
  const made = { reach, dx: Int8Array.from(dx), dy: Int8Array.from(dy), cover: Uint16Array.from(cover) };
  if (stamps.size > 200) stamps.clear();
  stamps.set(name, made);
  return made;
}

export const packed = (css) => { // "rgb(1, 2, 3)" as the browser's pixels lie in memory
  const [r, g, b] = css.match(/[\d.]+/g).map(Number);
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
};

export class Raster {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
  }
  size(width, height, density) {
    const [w, h] = [Math.max(1, Math.round(width * density)), Math.max(1, Math.round(height * density))];
    this.density = density;
    if (this.image && this.canvas.width === w && this.canvas.height === h) return;
    [this.canvas.width, this.canvas.height] = [w, h];
    this.image = this.pen.createImageData(w, h);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }
  clear(colour) { this.pixels.fill(colour); }
  show() { this.pen.putImageData(this.image, 0, 0); }

  // Draws the points `order[0 … most)` whose `lit` is `wanted`; gives how many were on the plate.
  scatter({ x, y, order, lit, colours, crossed }, { ax, bx, ay, by }, wanted, radius, alpha, most) {
    const d = this.density, w = this.canvas.width, h = this.canvas.height, { pixels } = this;
    const disc = stamp(radius * d, false), cross = crossed ? stamp(radius * d * 1.5, true) : disc;
    const [sx, ox, sy, oy] = [ax * d, bx * d, ay * d, by * d];
    let seen = 0;
    for (let j = 0; j < most; j++) {
      const i = order[j];
      if (lit[i] !== wanted) continue;
      const px = Math.round(x[i] * sx + ox), py = Math.round(y[i] * sy + oy), mark = crossed && crossed[i] ? cross : disc, r = mark.reach;
      if (px < -r || py < -r || px >= w + r || py >= h + r) continue;
      seen++;
      const colour = colours[i], rb = colour & 0xff00ff, g = colour & 0xff00, { dx, dy, cover } = mark;
      const inside = px >= r && py >= r && px < w - r && py < h - r;
      for (let k = 0; k < dx.length; k++) {
        const qx = px + dx[k], qy = py + dy[k];
        if (!inside && (qx < 0 || qy < 0 || qx >= w || qy >= h)) continue;
        const at = qy * w + qx, a = (cover[k] * alpha) >> 8, rest = 256 - a, below = pixels[at];
        const mixed = ((((below & 0xff00ff) * rest + rb * a) >>> 8) & 0xff00ff) | ((((below & 0xff00) * rest + g * a) >>> 8) & 0xff00);
        pixels[at] = (0xff000000 | mixed) >>> 0;
      }
    }
    return seen;
  }
}
