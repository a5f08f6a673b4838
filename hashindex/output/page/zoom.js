// One zoom and place for several layers, so that they always show the same part: by wheel, drag, pinch and keys.

const LEAST = 0.02;
const MOST = 32;

export class Zoom {
  #layers = [];
  #size = { width: 1, height: 1 };
  #scale = 1;
  #x = 0;
  #y = 0;
  #fitted = true;
  #pointers = new Map();
  #onChange;

  /** onChange(scale): called whenever the scale may be another. */
  constructor(onChange = () => {}) { this.#onChange = onChange; }

  get scale() { return this.#scale; }

  /** Layers are elements of size.width x size.height CSS pixels in panes of one size. */
  show(layers, size) {
    this.#layers = layers;
    this.#size = size;
    for (const layer of layers) {
      layer.style.width = `${size.width}px`;
      layer.style.height = `${size.height}px`;
    }
    this.fit();
  }

  fit() {
    const pane = this.#pane();
    this.#fitted = true;
    this.#scale = Math.min(pane.width / this.#size.width, pane.height / this.#size.height) || 1;
    this.#x = (pane.width - this.#size.width * this.#scale) / 2;
    this.#y = (pane.height - this.#size.height * this.#scale) / 2;
    this.#apply();
  }

  /** After the window or the arrangement of the panes changed. */
  refit() { if (this.#fitted) this.fit(); }

  /** Between the whole picture and one pixel of it for each pixel of the screen. */
  togglePixels() {
    const pixel = 1 / window.devicePixelRatio;
    if (Math.abs(this.#scale - pixel) < 1e-6) this.fit();
    else this.zoomTo(pixel);
  }

  zoomBy(factor, at) { this.zoomTo(this.#scale * factor, at); }

  /** at: [x, y] in the pane, which stays where it is; its middle without it. */
  zoomTo(scale, at) {
    const pane = this.#pane();
    const [x, y] = at || [pane.width / 2, pane.height / 2];
    const wanted = Math.min(Math.max(scale, LEAST), MOST);
    this.#x = x - ((x - this.#x) * wanted) / this.#scale;
    this.#y = y - ((y - this.#y) * wanted) / this.#scale;
    this.#scale = wanted;
    this.#fitted = false;
    this.#apply();
  }

  moveBy(x, y) {
    this.#x += x;
    this.#y += y;
    this.#fitted = false;
    this.#apply();
  }

  /** Lets wheel, drag and pinch on a pane zoom and move. */
  attach(pane) {
    pane.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / 400), this.#at(pane, event));
    }, { passive: false });
    pane.addEventListener("pointerdown", (event) => {
      pane.setPointerCapture(event.pointerId);
      this.#pointers.set(event.pointerId, this.#at(pane, event));
    });
    pane.addEventListener("pointermove", (event) => {
      const before = this.#pointers.get(event.pointerId);
      if (!before) return;
      const now = this.#at(pane, event);
      const other = [...this.#pointers].find(([id]) => id !== event.pointerId);
      if (other) this.zoomBy(distance(now, other[1]) / (distance(before, other[1]) || 1), other[1]);
      else this.moveBy(now[0] - before[0], now[1] - before[1]);
      this.#pointers.set(event.pointerId, now);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      pane.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
    }
    pane.addEventListener("dblclick", () => this.togglePixels());
  }

  #pane() {
    const parent = this.#layers[0] && this.#layers[0].parentElement;
    return parent ? { width: parent.clientWidth, height: parent.clientHeight } : { width: 1, height: 1 };
  }

  #at(pane, event) {
    const box = pane.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  #apply() {
    for (const layer of this.#layers) {
      layer.style.transform = `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`;
      layer.style.setProperty("--scale", this.#scale);
      layer.classList.toggle("pixels", this.#scale >= 2);
    }
    this.#onChange(this.#scale);
  }
}

const distance = ([x, y], [u, v]) => Math.hypot(x - u, y - v);
