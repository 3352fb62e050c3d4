// How large items are, and the paths of edges.

const measure = document.createElement("canvas").getContext("2d");
const FONT = 'system-ui, "Helvetica Neue", Arial, "Liberation Sans", sans-serif';
const widths = new Map();
function textWidth(text, size, weight = 400) {
  const key = `${size} ${weight} ${text}`;
  if (!widths.has(key)) {
    measure.font = `${weight} ${size}px ${FONT}`;
    widths.set(key, measure.measureText(text).width);
  }
  return widths.get(key);
}

const sizes = new Map();
function sizeOf(i) {
  if (!sizes.has(i)) {
    const lines = textOf(i);
    const width = Math.max(...lines.map((line, at) => textWidth(line, at ? 11 : 13, at ? 400 : 600)));
    sizes.set(i, { w: Math.max(44, width + (isBox(i) ? 38 : 22)), h: 12 + 16 * lines.length });
  }
  return sizes.get(i);
}

const num = (v) => Math.round(v * 10) / 10;
function curve(edge, points, back) {
  let path = `M${num(points[0][0])} ${num(points[0][1])}`,
    [px, py] = points[0];
  let x0 = px,
    x1 = px,
    y0 = py,
    y1 = py;
  for (const [x, y] of points.slice(1)) {
    if (Math.abs(x - px) < 0.05) {
      if (y !== py) path += `V${num(y)}`;
    } else {
      const m = num((py + y) / 2);
      path += `C${num(px)} ${m} ${num(x)} ${m} ${num(x)} ${num(y)}`;
    }
    [px, py] = [x, y];
    x0 = Math.min(x0, x);
    x1 = Math.max(x1, x);
    y0 = Math.min(y0, y);
    y1 = Math.max(y1, y);
  }
  return { edge, path, back, cross: false, x0, x1, y0, y1 };
}

// From one column to the other: what the gradient needs of the forward computation.
function across(edge, places) {
  const a = places.get(edge.tail),
    b = places.get(edge.head),
    right = b.x > a.x;
  const x0 = right ? a.x + a.w : a.x,
    x1 = right ? b.x : b.x + b.w,
    y0 = a.y + a.h / 2,
    y1 = b.y + b.h / 2,
    m = num((x0 + x1) / 2);
  const path = `M${num(x0)} ${num(y0)}C${m} ${num(y0)} ${m} ${num(y1)} ${num(x1)} ${num(y1)}`;
  return {
    edge,
    path,
    back: true,
    cross: true,
    whole: true,
    x0: Math.min(x0, x1),
    x1: Math.max(x0, x1),
    y0: Math.min(y0, y1),
    y1: Math.max(y0, y1),
  };
}
