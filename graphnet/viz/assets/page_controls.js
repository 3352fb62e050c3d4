// Hands: pointers, wheel, keys, buttons; and the beginning.

function toggleBox(b) {
  if (opened.has(b)) opened.delete(b);
  else opened.add(b);
  current = b;
  relayout(b);
  if (heat) redraw();
  say(`${boxOf(b).label} ${opened.has(b) ? "opened" : "closed"}`);
  if (chosen === b) choose(b, false);
  else if (chosen >= 0 && !placeOf(chosen)) choose(-1);
  if (opened.has(b)) keepInView(b);
}

function keepInView(b) {
  const p = placeOf(b),
    right = p.x * camera.k + camera.x + p.w * camera.k,
    over = right - svg.clientWidth + 10;
  if (over > 0 && p.w * camera.k < svg.clientWidth) {
    camera.x -= over;
    paint();
  }
}

function act(i) {
  current = i;
  if (isBox(i)) {
    toggleBox(i);
    choose(i, false);
  } else choose(i);
  paint();
}

const itemAt = (target) => {
  const e = target.closest ? target.closest("[data-item]") : null;
  return e && svg.contains(e) ? +e.getAttribute("data-item") : -1;
};

// Far away there are no elements to be hit: the place decides.
function itemUnder(event) {
  const hit = itemAt(event.target);
  if (hit >= 0 || ![...drawn.keys()].some((key) => key.startsWith("far"))) return hit;
  const box = svg.getBoundingClientRect(),
    x = (event.clientX - box.left - camera.x) / camera.k,
    y = (event.clientY - box.top - camera.y) / camera.k;
  for (const [i, p] of layout.places) if (x >= p.x && x <= p.x + p.w && y >= p.y && y <= p.y + p.h) return i;
  return -1;
}

const pointers = new Map();
let travelled = 0,
  spread0 = 0;
const middle = () => {
  const all = [...pointers.values()];
  return [all.reduce((s, p) => s + p[0], 0) / all.length, all.reduce((s, p) => s + p[1], 0) / all.length];
};
const distance = () => {
  const [a, b] = [...pointers.values()];
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
};

svg.addEventListener("pointerdown", (event) => {
  if (event.button > 0) return;
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  if (pointers.size === 1) travelled = 0;
  if (pointers.size === 2) spread0 = distance();
});
svg.addEventListener("pointermove", (event) => {
  if (!pointers.has(event.pointerId)) {
    hover(itemUnder(event));
    return;
  }
  const [x0, y0] = middle();
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  const [x1, y1] = middle();
  travelled += Math.abs(x1 - x0) + Math.abs(y1 - y0);
  if (travelled < 4 && pointers.size === 1) return;
  svg.classList.add("moving");
  if (!svg.hasPointerCapture(event.pointerId)) svg.setPointerCapture(event.pointerId);
  camera.x += x1 - x0;
  camera.y += y1 - y0;
  if (pointers.size === 2) {
    const d = distance(),
      box = svg.getBoundingClientRect();
    if (spread0 > 0) zoom(d / spread0, x1 - box.left, y1 - box.top);
    spread0 = d;
  }
  paintSoon();
});
function lifted(event) {
  if (!pointers.delete(event.pointerId)) return;
  svg.classList.remove("moving");
  if (travelled < 4 && event.type === "pointerup" && !pointers.size) {
    const i = itemUnder(event);
    if (i >= 0) {
      act(i);
      focusCurrent();
    } else {
      choose(-1);
      light(-1);
    }
  }
}
svg.addEventListener("pointerup", lifted);
svg.addEventListener("pointercancel", lifted);
svg.addEventListener("pointerleave", () => hover(-1));
svg.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1,
      box = svg.getBoundingClientRect();
    if (event.shiftKey) {
      camera.x -= (event.deltaX || event.deltaY) * unit;
      paintSoon();
      return;
    }
    zoom(
      Math.exp(-Math.max(-200, Math.min(200, event.deltaY * unit)) * (event.ctrlKey ? 0.01 : 0.0022)),
      event.clientX - box.left,
      event.clientY - box.top,
    );
  },
  { passive: false },
);

let hovered = -1;
function hover(i) {
  if (i === hovered) return;
  hovered = i;
  light(i >= 0 ? i : chosen);
}

// The next item in a direction: along an edge if there is one, else what is nearest on that side.
function step(key) {
  const here = placeOf(current);
  if (!here) return;
  const cx = here.x + here.w / 2,
    cy = here.y + here.h / 2;
  const along = key === "ArrowUp" || key === "ArrowDown",
    sign = key === "ArrowUp" || key === "ArrowLeft" ? -1 : 1;
  const middleOf = (i) => {
    const p = placeOf(i);
    return [p.x + p.w / 2, p.y + p.h / 2];
  };
  let best = -1,
    least = Infinity;
  const consider = (i, bend) => {
    if (i === current) return;
    const [x, y] = middleOf(i),
      forward = (along ? y - cy : x - cx) * sign,
      aside = Math.abs(along ? x - cx : y - cy);
    if (forward > 1 && forward + bend * aside < least) {
      least = forward + bend * aside;
      best = i;
    }
  };
  if (along) {
    for (const e of [...(before.get(current) || []), ...(after.get(current) || [])])
      consider(e.tail === current ? e.head : e.tail, 0.5);
  }
  if (best < 0) for (const i of [...seen.items, ...layout.boxes.keys()]) consider(i, along ? 2 : 3);
  if (best < 0) return;
  current = best;
  reveal(best);
  paint();
  focusCurrent();
  light(best);
}

function level(change) {
  let deepest = -1;
  for (const b of opened) if (placeOf(b)) deepest = Math.max(deepest, depthOf(b));
  if (change > 0) {
    const shown = seen.items.filter((i) => isBox(i) && !boxOf(i).shelf);
    if (!shown.length) return;
    const next = Math.min(...shown.map(depthOf));
    shown.filter((b) => depthOf(b) === next).forEach((b) => opened.add(b));
  } else {
    if (deepest < 0) return;
    for (const b of [...opened]) if (depthOf(b) >= deepest) opened.delete(b);
  }
  relayout();
  if (heat) redraw();
  if (chosen >= 0 && !placeOf(chosen)) choose(-1);
  fit(true);
}

function help(on = document.getElementById("keys").hidden) {
  document.getElementById("keys").hidden = !on;
  document.getElementById("help").setAttribute("aria-expanded", String(on));
}

function escape() {
  if (!document.getElementById("keys").hidden) {
    help(false);
    return;
  }
  if (chosen >= 0) {
    choose(-1);
    light(-1);
    focusCurrent();
    return;
  }
  const around = opened.has(current) ? current : ancestors(current).find(isBox);
  if (around !== undefined && opened.has(around)) {
    toggleBox(around);
    focusCurrent();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches && event.target.matches("input, select");
  const inGraph = svg.contains(event.target);
  if (event.key === "Escape") {
    if (event.target === query) {
      query.value = "";
      search("");
      focusCurrent();
    } else escape();
    event.preventDefault();
  } else if (typing) {
    return;
  } else if (event.key === "/") {
    query.focus();
    query.select();
    event.preventDefault();
  } else if (event.key === "?") help();
  else if (event.key === "+" || event.key === "=") zoom(1.25);
  else if (event.key === "-") zoom(0.8);
  else if (event.key === "0") fit();
  else if (event.key === "]") level(1);
  else if (event.key === "[") level(-1);
  else if (inGraph && event.key.startsWith("Arrow")) {
    step(event.key);
    event.preventDefault();
  } else if (inGraph && (event.key === "Enter" || event.key === " ")) {
    act(current);
    focusCurrent();
    event.preventDefault();
  }
});
svg.addEventListener("focusin", (event) => {
  const i = itemAt(event.target);
  if (i >= 0 && i !== current) {
    current = i;
    mark();
  }
});

query.addEventListener("input", () => search(query.value));
document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  nextHit(1);
});
query.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.shiftKey) {
    event.preventDefault();
    nextHit(-1);
  }
});
const on = (id, action) => document.getElementById(id).addEventListener("click", action);
on("previous", () => nextHit(-1));
on("smaller", () => zoom(0.8));
on("larger", () => zoom(1.25));
on("fit", () => fit());
on("open-more", () => level(1));
on("close-all", () => level(-1));
on("help", () => help());

{
  const choice = document.getElementById("heat");
  const timed = data.seconds !== undefined;
  for (const [value, text] of [
    ["", "Colour: kind"],
    ...(timed ? [["time", `Colour: time (${timeText(data.seconds)})`]] : []),
    ["memory", "Colour: memory"],
  ]) {
    choice.append(element("option", { value, textContent: text }));
  }
  choice.addEventListener("change", () => setHeat(choice.value));
  const legend = document.getElementById("legend"),
    kinds = { ...data.looks };
  if (B) {
    kinds.region = kinds.region || "layer or function";
  }
  for (const [kind, meaning] of Object.entries(kinds)) {
    legend.append(element("li", { className: `k-${kind.replace(" ", "-")}` }, element("i"), meaning));
  }
  openLevels(data.depth);
  relayout();
  fit(true);
  paint();
  if (data.heat) {
    choice.value = data.heat;
    setHeat(data.heat);
  }
  new ResizeObserver(() => paintSoon()).observe(svg);
  document.documentElement.dataset.ready = "yes";
}
