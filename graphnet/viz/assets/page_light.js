// What stands out: the heat of nodes, and the way that leads through one of them.

// Heat: a node's time or memory as a share of the largest now shown.
function amount(i) {
  if (heat === "memory") return isBox(i) ? sums[i - N].bytes : data.nodes[i].op ? data.nodes[i].bytes : 0;
  return isBox(i) ? sums[i - N].seconds : data.nodes[i].seconds || 0;
}
let hottest = 0;
function heatOf(i) {
  return hottest > 0 && amount(i) > 0 ? Math.sqrt(amount(i) / hottest) : -1;
}
function setHeat(kind) {
  heat = kind;
  redraw();
}
function redraw() {
  hottest = heat ? seen.items.reduce((most, i) => Math.max(most, amount(i)), 0) : 0;
  for (const e of drawn.values()) e.remove();
  drawn.clear();
  paint();
}

// The way from the inputs to `i`, and from it to the outputs.
function light(i) {
  layer.ties.replaceChildren();
  if (i < 0 || !placeOf(i)) {
    lit = null;
    svg.classList.remove("dimmed");
    afterLight();
    return;
  }
  lit = { items: new Set([i]), edges: new Set() };
  const begin = layout.places.has(i) ? [i] : seen.items.filter((j) => ancestors(j).includes(i));
  begin.forEach((j) => lit.items.add(j));
  for (const [next, end] of [
    [before, "tail"],
    [after, "head"],
  ]) {
    const reach = [...begin],
      met = new Set(begin);
    for (const j of reach) {
      for (const e of next.get(j) || []) {
        lit.edges.add(e.key);
        lit.items.add(e[end]);
        if (!met.has(e[end])) {
          met.add(e[end]);
          reach.push(e[end]);
        }
      }
    }
  }
  svg.classList.add("dimmed");
  const pairs = [...(seen.tiesOf.get(i) || [])].map((a) => [a, i]);
  for (const [b, tails] of seen.tiesOf) if (tails.has(i)) pairs.push([i, b]);
  for (const [a, b] of pairs) {
    const p = layout.places.get(a),
      q = layout.places.get(b),
      right = q.x > p.x;
    layer.ties.append(
      make("path", {
        class: "tie",
        d: `M${right ? p.x + p.w : p.x} ${p.y + p.h / 2}L${right ? q.x : q.x + q.w} ${q.y + q.h / 2}`,
      }),
    );
    lit.items.add(a);
    lit.items.add(b);
  }
  afterLight();
}
function afterLight() {
  // Far away what is lit is a path of its own.
  if ([...drawn.keys()].some((key) => key.startsWith("far"))) paintSoon();
  mark();
}
