// What is seen: of the layout, the part that is in view, as SVG. Far away, where nothing could be read, all nodes of a
// kind are one path. The camera maps a point p of the layout to p * k + (x, y).

const svgNS = "http://www.w3.org/2000/svg";
function make(tag, attributes = {}, text) {
  const e = document.createElementNS(svgNS, tag);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return e;
}

const svg = document.getElementById("graph");
const scene = make("g");
const layer = { frames: make("g"), edges: make("g"), ties: make("g"), nodes: make("g") };
{
  const defs = make("defs");
  for (const id of ["arrow", "arrow-back", "arrow-lit"]) {
    const marker = make("marker", {
      id,
      viewBox: "0 0 8 8",
      refX: 7.5,
      refY: 4,
      markerWidth: 7,
      markerHeight: 7,
      orient: "auto",
      markerUnits: "userSpaceOnUse",
    });
    marker.append(make("path", { d: "M0 .8L8 4L0 7.2z" }));
    defs.append(marker);
  }
  svg.append(defs, scene);
  scene.append(layer.frames, layer.edges, layer.ties, layer.nodes);
}

const MANY = 900;
const camera = { x: 0, y: 0, k: 1 };
let seen = null,
  layout = null,
  curvesOf = new Map(),
  after = new Map(),
  before = new Map();
let current = -1,
  lit = null,
  heat = "";
const drawn = new Map();

// What is open has changed: a new layout, in which `fixed` stays where it is on the screen.
function relayout(fixed = -1) {
  const old = layout && fixed >= 0 ? layout.places.get(fixed) || layout.boxes.get(fixed) : null;
  const anchor = old ? [old.x * camera.k + camera.x, old.y * camera.k + camera.y] : null;
  const hadFocus = svg.contains(document.activeElement);
  seen = visibleNow();
  layout = arranged(seen);
  after = new Map();
  before = new Map();
  for (const e of seen.edges) {
    if (!after.has(e.tail)) after.set(e.tail, []);
    if (!before.has(e.head)) before.set(e.head, []);
    after.get(e.tail).push(e);
    before.get(e.head).push(e);
  }
  for (const e of drawn.values()) e.remove();
  drawn.clear();
  lit = null;
  svg.classList.remove("dimmed");
  if (current >= 0 && !placeOf(current))
    current =
      ancestors(current)
        .filter((p) => placeOf(p))
        .pop() ?? -1;
  if (current < 0) current = seen.items[0] ?? -1;
  const now = anchor && placeOf(fixed);
  if (now) {
    camera.x = anchor[0] - now.x * camera.k;
    camera.y = anchor[1] - now.y * camera.k;
  }
  paint();
  if (hadFocus) focusCurrent();
  const hidden = N - seen.items.filter((i) => !isBox(i)).length;
  const shown = plural(seen.items.length, "item");
  document.getElementById("status").textContent = hidden
    ? `${shown} shown, for ${plural(N, "node")}`
    : `all ${plural(N, "node")} shown`;
}
const placeOf = (i) => layout.places.get(i) || layout.boxes.get(i);

let asked = 0;
function paintSoon() {
  if (!asked)
    asked = requestAnimationFrame(() => {
      asked = 0;
      paint();
    });
}

function paint() {
  scene.setAttribute("transform", `translate(${camera.x} ${camera.y}) scale(${camera.k})`);
  const { k } = camera,
    w = svg.clientWidth,
    h = svg.clientHeight,
    margin = 60 / k;
  const x0 = -camera.x / k - margin,
    y0 = -camera.y / k - margin,
    x1 = (w - camera.x) / k + margin,
    y1 = (h - camera.y) / k + margin;
  const inView = (p) => p.x < x1 && p.x + p.w > x0 && p.y < y1 && p.y + p.h > y0;
  const items = seen.items.filter((i) => inView(layout.places.get(i)));
  const wanted = new Map();
  for (const [b, p] of layout.boxes) {
    if (!inView(p)) continue;
    wanted.set(`frame ${b}`, () => frameOf(b, p));
    wanted.set(`title ${b}`, () => titleOf(b, p));
  }
  if (items.length > MANY) {
    far(wanted);
    if (current >= 0 && layout.places.has(current))
      wanted.set(`node ${current}`, () => nodeOf(current, layout.places.get(current)));
  } else {
    for (const i of items) wanted.set(`node ${i}`, () => nodeOf(i, layout.places.get(i)));
    if (current >= 0 && layout.places.has(current))
      wanted.set(`node ${current}`, () => nodeOf(current, layout.places.get(current)));
    for (const c of layout.curves) {
      if (c.x0 < x1 && c.x1 > x0 && c.y0 < y1 && c.y1 > y0) wanted.set(`edge ${c.edge.key}`, () => edgeOf(c));
    }
  }
  for (const [key, e] of drawn)
    if (!wanted.has(key)) {
      e.remove();
      drawn.delete(key);
    }
  for (const [key, build] of wanted) if (!drawn.has(key)) drawn.set(key, build());
  mark();
}

// Classes follow what is chosen and lit; elements stay.
function mark() {
  for (const [key, e] of drawn) {
    const [what, id] = key.split(" "),
      i = +id;
    if (what === "node" || what === "title") {
      e.classList.toggle("chosen", i === chosen);
      e.classList.toggle("lit", !!lit && lit.items.has(i));
      e.setAttribute("tabindex", i === current ? "0" : "-1");
    } else if (what === "edge") {
      const on = !!lit && lit.edges.has(i);
      e.classList.toggle("lit", on);
      if (!e.classList.contains("part"))
        e.setAttribute("marker-end", `url(#arrow${e.classList.contains("back") ? "-back" : on ? "-lit" : ""})`);
    }
  }
}

function outline(kind, p) {
  const round =
    kind === "input" || kind === "output"
      ? p.h / 2
      : kind.endsWith("region")
        ? 4
        : kind === "parameter" || kind === "state" || kind === "constant"
          ? 1
          : 7;
  return make("rect", { class: "shape", x: p.x, y: p.y, width: p.w, height: p.h, rx: round });
}

function nodeOf(i, p) {
  const kind = kindOf(i),
    lines = textOf(i);
  const g = make("g", {
    class: `node k-${kind.replace(" ", "-")}`,
    role: "button",
    "data-item": i,
    "aria-label": `${lines.join(", ")}; ${data.looks[kind] || kind}`,
  });
  if (isBox(i)) {
    g.setAttribute("aria-expanded", "false");
    g.append(make("rect", { class: "shape", x: p.x + 4, y: p.y + 4, width: p.w, height: p.h, rx: 4 }));
  }
  g.append(outline(kind, p));
  if (kind === "parameter" || kind === "state")
    g.append(make("rect", { class: "shape", x: p.x, y: p.y, width: 5, height: p.h, rx: 1 }));
  const top = p.y + p.h / 2 - (16 * lines.length) / 2;
  lines.forEach((line, at) =>
    g.append(make("text", { class: at ? "more" : "first", x: num(p.x + p.w / 2), y: num(top + 16 * at + 12.5) }, line)),
  );
  if (isBox(i)) g.append(make("text", { class: "more", x: p.x + 8, y: p.y + 11 }, "+"));
  g.append(make("title", {}, isBox(i) ? `${lines.join("\n")}\nclick opens it` : lines.join("\n")));
  if (!isBox(i) && data.nodes[i].bad) g.classList.add("bad");
  if (heat) {
    const share = heatOf(i);
    if (share >= 0) {
      g.classList.add("hot");
      g.style.setProperty("--heat", `${Math.round(share * 100)}%`);
    }
  }
  layer.nodes.append(g);
  return g;
}

function frameOf(b, p) {
  const r = make("rect", {
    class: `frame${boxOf(b).gradient ? " back" : ""}`,
    x: p.x,
    y: p.y,
    width: p.w,
    height: p.h,
    rx: 9,
  });
  layer.frames.append(r);
  return r;
}

function titleOf(b, p) {
  const label = boxOf(b).label;
  const g = make("g", {
    class: "title",
    role: "button",
    "aria-expanded": "true",
    "data-item": b,
    "aria-label": `${label}, open`,
  });
  g.append(make("rect", { x: p.x + 3, y: p.y + 3, width: textWidth(label, 12) + 26, height: 17, rx: 5 }));
  g.append(make("text", { x: p.x + 8, y: p.y + 15 }, `− ${label}`), make("title", {}, `${label}\nclick closes it`));
  layer.nodes.append(g);
  return g;
}

function edgeOf(c) {
  const e = make("path", {
    class: `edge${c.back ? " back" : ""}${c.cross ? " cross" : ""}${c.whole ? "" : " part"}`,
    d: c.path,
  });
  layer.edges.append(e);
  return e;
}

// All of it, whether in view or not: so it stays the same while the camera moves.
function far(wanted) {
  const groups = new Map();
  for (const i of seen.items) {
    const on = lit && lit.items.has(i),
      key = `far ${kindOf(i).replace(" ", "-")}${on ? " lit" : ""}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(i);
  }
  for (const [key, list] of groups) {
    const name = `${key} of ${list.length} from ${list[0]} to ${list[list.length - 1]}`;
    wanted.set(name, () => {
      const d = list
        .map((i) => {
          const p = layout.places.get(i);
          return `M${num(p.x)} ${num(p.y)}h${num(p.w)}v${num(p.h)}h${num(-p.w)}z`;
        })
        .join("");
      const e = make("path", { class: `far k-${key.slice(4)}`, d });
      layer.nodes.prepend(e);
      return e;
    });
  }
  wanted.set("lines", () => {
    // Those between the columns would hide everything, and cost most of the time.
    const e = make("path", {
      class: "edge far",
      d: layout.curves
        .filter((c) => !c.cross)
        .map((c) => c.path)
        .join(""),
    });
    layer.edges.append(e);
    return e;
  });
}

function focusCurrent() {
  const e = drawn.get(`node ${current}`) || drawn.get(`title ${current}`);
  if (e) e.focus({ preventScroll: true });
}
