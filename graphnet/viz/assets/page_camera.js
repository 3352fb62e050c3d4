// Moving the camera: zoom, everything in view, one item in view.

function zoom(factor, x = svg.clientWidth / 2, y = svg.clientHeight / 2) {
  const k = Math.min(4, Math.max(0.002, camera.k * factor)),
    f = k / camera.k;
  camera.x = x - (x - camera.x) * f;
  camera.y = y - (y - camera.y) * f;
  camera.k = k;
  paintSoon();
}

function fit(readable = false) {
  const w = svg.clientWidth,
    h = svg.clientHeight,
    k = Math.min(1.25, (w - 40) / layout.width, (h - 40) / layout.height);
  camera.k = Math.max(k, readable ? Math.min(0.8, (w - 40) / Math.min(layout.width, 1900)) : 0.002);
  camera.x = (w - layout.width * camera.k) / 2;
  if (readable && camera.x < 20) {
    // Too wide: begin where the program begins.
    const first = placeOf(seen.items[0]),
      end = w - 20 - layout.width * camera.k;
    camera.x = Math.min(20, Math.max(end, w / 2 - (first.x + first.w / 2) * camera.k));
  }
  camera.y = Math.max((h - layout.height * camera.k) / 2, readable ? 20 : -Infinity);
  paintSoon();
}

// Bring an item into the view, near enough to be read.
function reveal(i, always = false) {
  const p = placeOf(i),
    { k } = camera,
    w = svg.clientWidth,
    h = svg.clientHeight;
  const x = p.x * k + camera.x,
    y = p.y * k + camera.y;
  if (!always && x > 10 && y > 10 && x + Math.min(p.w * k, w - 40) < w - 10 && y + Math.min(p.h * k, 40) < h - 10)
    return;
  if (always && k < 0.7) camera.k = 1;
  camera.x = w / 2 - (p.x + p.w / 2) * camera.k;
  camera.y = p.h * camera.k > h - 40 ? 30 - p.y * camera.k : h / 2 - (p.y + p.h / 2) * camera.k;
  paintSoon();
}
