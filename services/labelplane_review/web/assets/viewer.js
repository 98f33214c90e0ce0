// Shows one item: an image that can be zoomed and moved, or a text that scrolls. Texts are set as text, never as HTML.

const MOST = 40;
const STEP = 1.3;

export class Viewer {
  constructor({ frame, image, text, failed }) {
    Object.assign(this, { frame, image, text, failed });
    this.pointers = new Map();
    image.addEventListener("load", () => this.fit());
    image.addEventListener("error", () => { if (image.getAttribute("src")) this.failed(); });
    frame.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.onDown(event));
    frame.addEventListener("pointermove", (event) => this.onMove(event));
    for (const name of ["pointerup", "pointercancel"]) frame.addEventListener(name, (event) => this.onUp(event));
    frame.addEventListener("dblclick", () => this.fit());
    new ResizeObserver(() => this.fit()).observe(frame);
  }

  get isImage() { return !this.image.hidden; }

  show(item) {
    const isImage = Boolean(item.image);
    this.frame.classList.toggle("is-image", isImage);
    this.frame.classList.toggle("is-text", !isImage);
    this.image.hidden = !isImage;
    this.text.hidden = isImage;
    this.text.textContent = isImage ? "" : item.text;
    this.frame.scrollTop = 0;
    if (!isImage) { this.image.removeAttribute("src"); return; }
    this.image.alt = `Item ${item.item}`;
    if (this.image.getAttribute("src") === item.image) this.fit();
    else this.image.src = item.image;
  }

  clear() {
    this.image.hidden = this.text.hidden = true;
    this.image.removeAttribute("src");
    this.text.textContent = "";
    this.frame.classList.remove("is-image", "is-text");
  }

  fit() {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    if (!this.isImage || !width || !this.frame.clientWidth) return;
    this.least = Math.min(this.frame.clientWidth / width, this.frame.clientHeight / height) * 0.96;
    this.image.classList.toggle("is-crisp", this.least > 2);
    this.scale = this.least;
    this.x = -width * this.scale / 2;
    this.y = -height * this.scale / 2;
    this.draw();
  }

  // Around a point of the frame, its middle when none is given.
  zoom(factor, point = { x: 0, y: 0 }) {
    if (!this.isImage || !this.scale) return;
    const scale = Math.min(Math.max(this.scale * factor, this.least / 2), Math.max(this.least * MOST, 4));
    const ratio = scale / this.scale;
    this.x = point.x - (point.x - this.x) * ratio;
    this.y = point.y - (point.y - this.y) * ratio;
    this.scale = scale;
    this.draw();
  }

  zoomIn() { this.zoom(STEP); }
  zoomOut() { this.zoom(1 / STEP); }

  move(dx, dy) {
    if (!this.isImage || !this.scale) return;
    const [width, height] = [this.image.naturalWidth * this.scale, this.image.naturalHeight * this.scale];
    const keep = 40; // some of the image always stays in sight
    const [halfWidth, halfHeight] = [this.frame.clientWidth / 2, this.frame.clientHeight / 2];
    this.x = Math.min(Math.max(this.x + dx, keep - halfWidth - width), halfWidth - keep);
    this.y = Math.min(Math.max(this.y + dy, keep - halfHeight - height), halfHeight - keep);
    this.draw();
  }

  draw() { this.image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`; }

  at(event) {
    const box = this.frame.getBoundingClientRect();
    return { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
  }

  onWheel(event) {
    if (!this.isImage) return;
    event.preventDefault();
    this.zoom(Math.exp(-Math.sign(event.deltaY) * Math.min(Math.abs(event.deltaY), 120) / 400), this.at(event));
  }

  onDown(event) {
    if (!this.isImage) return;
    this.pointers.set(event.pointerId, this.at(event));
    this.frame.setPointerCapture(event.pointerId);
    this.frame.classList.add("is-panning");
  }

  onMove(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = this.at(event);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const distance = (a, b) => Math.hypot(a.x - b.x, a.y - b.y) || 1;
      this.zoom(distance(now, other) / distance(before, other), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
    } else this.move(now.x - before.x, now.y - before.y);
    this.pointers.set(event.pointerId, now);
  }

  onUp(event) {
    this.pointers.delete(event.pointerId);
    if (!this.pointers.size) this.frame.classList.remove("is-panning");
  }

  // Arrow keys move an image and scroll a text; true when the key was one of them.
  onKey(event) {
    const step = 60;
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (this.isImage) this.move(...move);
    else this.frame.scrollBy(-move[0], -move[1]);
    event.preventDefault();
    return true;
  }
}
