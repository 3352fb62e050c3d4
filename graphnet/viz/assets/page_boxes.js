// Boxes inside boxes: each is laid out by itself and is then one item of the box around it. A tensor that leaves or
// enters a box does so once, through a port in its frame. The gradient stands beside as a second column that flows
// upwards; what belongs together stands at one height.

const GAP = 18,
  ALONG = 30,
  FRAME = 12,
  TITLE = 18,
  CHANNEL = 90;
// A layout: `places` of items (left, top, width, height), `frames` of open boxes, `curves` of edges as paths.
function arranged(seen) {
  const deadline = performance.now() + 3000;
  const containers = [FORWARD, BACKWARD, ...opened].filter(
    (c) => childrenOf.has(c) && (!isBox(c) || ancestors(c).every((p) => !isBox(p) || opened.has(p))),
  );
  const links = new Map(),
    entries = new Map(),
    exits = new Map();
  for (const c of containers) {
    links.set(c, new Map());
    entries.set(c, new Set());
    exits.set(c, new Set());
  }
  const cross = [];

  const link = (c, value, tail, head) => {
    const key = `${value} ${tail} ${head}`;
    if (!links.get(c).has(key)) links.get(c).set(key, { value, tail, head });
    return [c, key];
  };
  for (const e of seen.edges) {
    const ups = ancestors(e.tail),
      downs = ancestors(e.head);
    // What goes to a row of outputs that is closed shares one line.
    const value = isBox(e.head) && boxOf(e.head).shelf ? `to ${e.head}` : e.tail;
    if (ups[ups.length - 1] !== downs[downs.length - 1]) {
      cross.push(e);
      continue;
    }
    const meeting = ups.find((c) => downs.includes(c));
    const chain = [],
      over = [];
    let child = e.tail,
      target = e.head;
    for (const c of ups.slice(0, ups.indexOf(meeting))) {
      exits.get(c).add(value);
      chain.push(link(c, value, child, -1));
      child = c;
    }
    for (const c of downs.slice(0, downs.indexOf(meeting))) {
      entries.get(c).add(value);
      over.push(link(c, value, -1, target));
      target = c;
    }
    e.chain = [...chain, link(meeting, value, child, target), ...over.reverse()];
  }

  const frames = new Map();
  const itemSize = (i) => frames.get(i) || sizeOf(i);
  const port = (child, value, which) => {
    const f = frames.get(child);
    return f && f[which].has(value) ? f[which].get(value) - f.w / 2 : 0;
  };

  // One container: orders and places across. Small numbers stand for its items, ports and bends.
  function column(c, level, count, back) {
    const room = [],
      levels = [],
      down = [],
      up = [],
      numbers = new Map();
    const layers = Array.from({ length: count + 2 }, () => []);
    const add = (key, at, left, right, size) => {
      const n = room.length;
      numbers.set(key, n);
      room.push({ left, right, size });
      levels.push(at);
      down.push([]);
      up.push([]);
      layers[at].push(n);
      return n;
    };
    let first = -1;
    if (isBox(c)) first = add("title", back ? count + 1 : 0, 0, textWidth(boxOf(c).label, 12) + 34, 0);
    for (const child of childrenOf.get(c)) {
      const s = itemSize(child);
      add(child, level.get(child), s.w / 2, s.w / 2, s.h);
    }
    for (const v of entries.get(c)) add(`in ${v}`, 0, 5, 5, 0);
    for (const v of exits.get(c)) add(`out ${v}`, count + 1, 5, 5, 0);
    const degree = new Map();
    for (const k of links.get(c).values())
      for (const end of [k.tail, k.head]) degree.set(end, (degree.get(end) || 0) + 1);
    const own = room.length,
      made = new Map(),
      traced = new Map();
    let total = 0;
    for (const [key, k] of links.get(c)) {
      let a = numbers.get(k.tail < 0 ? `in ${k.value}` : k.tail),
        b = numbers.get(k.head < 0 ? `out ${k.value}` : k.head);
      let out = port(k.tail, k.value, "exit"),
        into = port(k.head, k.value, "entry");
      const aside = (k.tail >= 0 && degree.get(k.tail) === 1) || (k.head >= 0 && degree.get(k.head) === 1);
      const turned = levels[a] >= levels[b];
      if (turned) {
        [a, b] = [b, a];
        [out, into] = [into, out];
      }
      const chain = [a];
      if (total < 150000) {
        for (let r = levels[a] + 1; r < levels[b]; r++) {
          const via = `via ${k.value} ${typeof k.value === "string" ? "" : a} ${turned} ${r}`;
          chain.push(numbers.has(via) ? numbers.get(via) : add(via, r, 3, 3, 0));
          total++;
        }
      }
      chain.push(b);
      for (let i = 0; i + 1 < chain.length; i++) {
        const [p, q] = [chain[i], chain[i + 1]],
          name = `${p} ${q}`;
        if (levels[q] - levels[p] !== 1 || made.has(name)) continue;
        const joins = typeof k.value === "string" && i === 0;
        const weight = joins ? 0.02 : (aside && own > 4 ? 0.05 : 1) * (1 + 2 * (p >= own) + 2 * (q >= own));
        // Between two open boxes their middles count: ports in line would let a long chain of boxes drift aside.
        const boxes = frames.has(k.tail) && frames.has(k.head) && chain.length === 2;
        const l = {
          tail: p,
          head: q,
          out: i === 0 && !boxes ? out : 0,
          into: i === chain.length - 2 && !boxes ? into : 0,
          weight,
        };
        made.set(name, l);
        down[p].push(l);
        up[q].push(l);
      }
      traced.set(key, { chain, out, into, turned });
    }
    const all = { down, up, count: made.size };
    putInOrder(layers, all, first, deadline);
    const x = spread(layers, room, all, GAP, deadline);
    const side = isBox(c) ? FRAME : 0;
    let low = Infinity,
      high = -Infinity;
    for (let n = 0; n < room.length; n++) {
      low = Math.min(low, x[n] - room[n].left);
      high = Math.max(high, x[n] + room[n].right);
    }
    if (!room.length) low = high = 0;
    for (let n = 0; n < room.length; n++) x[n] -= low - side;
    const reach = new Array(count + 1).fill(0);
    for (const l of made.values())
      reach[levels[l.tail]] = Math.max(reach[levels[l.tail]], Math.abs(x[l.tail] + l.out - x[l.head] - l.into));
    return { c, back, x, room, levels, numbers, traced, reach, w: high - low + 2 * side };
  }

  function finish(col, spans, total) {
    const { c, x, room, levels, numbers } = col;
    const frame = {
      w: col.w,
      h: total,
      back: col.back,
      at: new Map(),
      routes: new Map(),
      entry: new Map(),
      exit: new Map(),
    };
    for (const child of childrenOf.get(c)) {
      const n = numbers.get(child),
        [start, end] = spans[levels[n]];
      frame.at.set(child, [x[n] - room[n].left, (start + end - room[n].size) / 2]);
    }
    for (const v of entries.get(c)) frame.entry.set(v, x[numbers.get(`in ${v}`)]);
    for (const v of exits.get(c)) frame.exit.set(v, x[numbers.get(`out ${v}`)]);
    const joined = new Set();
    const isChild = new Set(childrenOf.get(c).map((child) => numbers.get(child)));
    for (const [key, { chain, out, into, turned }] of col.traced) {
      const points = [],
        shared = typeof links.get(c).get(key).value === "string" && !turned;
      points.whole = true;
      for (let i = 0; i < chain.length; i++) {
        const n = chain[i];
        const at = x[n] + (i === 0 ? out : i === chain.length - 1 ? into : 0),
          [start, end] = spans[levels[n]];
        const top = (start + end - room[n].size) / 2,
          bottom = top + room[n].size;
        if (isChild.has(n))
          points.push(
            ...(i === 0
              ? [
                  [at, bottom],
                  [at, end],
                ]
              : [
                  [at, start],
                  [at, top],
                ]),
          );
        else if (levels[n] === 0) points.push([at, 0], [at, start]);
        else if (levels[n] === spans.length - 1) points.push([at, end], [at, total]);
        else points.push([at, start], [at, end]);
        if (shared && i > 0) {
          // A line that others take too is drawn once: here this one joins it.
          if (joined.has(n)) {
            points.pop();
            points.whole = false;
            break;
          }
          joined.add(n);
        }
      }
      frame.routes.set(key, turned ? points.reverse() : points);
    }
    return frame;
  }

  // Inner containers first, those with a partner together with it.
  const here = new Set(containers),
    partner = new Map(),
    done = new Set();
  for (const [b, f] of partnerOf)
    if (here.has(b) && here.has(f) && depthOf(b) === depthOf(f) && inBack(b) && !inBack(f)) {
      partner.set(b, f);
      partner.set(f, b);
    }
  for (const c of [...containers].sort((a, b) => depthOf(b) - depthOf(a))) {
    if (done.has(c)) continue;
    const other = partner.has(c) ? partner.get(c) : -1;
    done.add(c);
    done.add(other);
    const back = inBack(c);
    const [left, right] = back ? [other, c] : [c, other];
    const { rank, count } = ranks(left, right, links, seen);
    const heights = new Array(count).fill(0),
      gaps = [0, ...new Array(count - 1).fill(ALONG), 0],
      columns = [];
    for (const [child, r] of rank) heights[r] = Math.max(heights[r], itemSize(child).h);
    for (const [k, flips] of [
      [left, false],
      [right, true],
    ]) {
      if (k < 0) continue;
      const level = new Map(
        childrenOf.get(k).map((child) => [child, flips ? count - rank.get(child) : rank.get(child) + 1]),
      );
      const col = column(k, level, count, flips);
      columns.push(col);
      const reach = flips ? [...col.reach].reverse() : col.reach;
      const [first, last] = flips ? [exits, entries] : [entries, exits];
      const least = gaps.map((_, i) =>
        i === 0 ? (first.get(k).size ? ALONG * 0.6 : 0) : i === count ? (last.get(k).size ? ALONG * 0.6 : 0) : ALONG,
      );
      gaps.forEach((g, i) => {
        gaps[i] = Math.max(g, least[i] + Math.min(60, Math.max(0, reach[i] - 60) / 10));
      });
    }
    const pads = isBox(c) ? [FRAME + TITLE, FRAME] : [0, 0],
      bands = [];
    let at = pads[0] + gaps[0];
    heights.forEach((h, r) => {
      bands.push([at, at + h]);
      at += h + gaps[r + 1];
    });
    const total = at + pads[1];
    for (const col of columns) {
      const own = col.back ? bands.map(([a, b]) => [total - b, total - a]).reverse() : bands;
      const [start, end] = col.back ? [pads[1], total - pads[0]] : [pads[0], total - pads[1]];
      frames.set(col.c, finish(col, [[start, start], ...own, [end, end]], total));
    }
  }

  // From the containers' own places to those on the page.
  const origin = new Map(),
    places = new Map(),
    boxes = new Map();
  const forward = frames.get(FORWARD),
    backward = frames.get(BACKWARD);
  origin.set(FORWARD, [0, 0]);
  origin.set(BACKWARD, [forward && forward.w ? forward.w + CHANNEL : 0, 0]);
  const flat = (f, [x, y]) => [x, f.back ? f.h - y : y];
  const walk = [FORWARD, BACKWARD].filter((c) => frames.has(c));
  for (const c of walk) {
    const f = frames.get(c),
      [ox, oy] = origin.get(c);
    for (const [child, [x, y]] of f.at) {
      const s = itemSize(child),
        top = f.back ? f.h - y - s.h : y;
      if (frames.has(child)) {
        origin.set(child, [ox + x, oy + top]);
        boxes.set(child, { x: ox + x, y: oy + top, w: s.w, h: s.h });
        walk.push(child);
      } else places.set(child, { x: ox + x, y: oy + top, w: s.w, h: s.h });
    }
  }
  const curves = [],
    taken = new Set();
  for (const e of seen.edges) {
    if (!e.chain) continue;
    const points = [];
    let whole = true;
    for (const [c, key] of e.chain) {
      const f = frames.get(c),
        [ox, oy] = origin.get(c),
        route = f.routes.get(key);
      if (key.startsWith("to ")) {
        if (taken.has(`${c} ${key}`)) {
          whole = false;
          break;
        }
        taken.add(`${c} ${key}`);
      }
      for (const p of route) {
        const [x, y] = flat(f, p);
        points.push([ox + x, oy + y]);
      }
      if (!route.whole) {
        whole = false;
        break;
      }
    }
    if (points.length) curves.push({ ...curve(e, points, inBack(e.tail)), whole });
  }
  for (const e of cross) curves.push(across(e, places));
  let width = 0,
    height = 0;
  for (const p of [...places.values(), ...boxes.values()]) {
    width = Math.max(width, p.x + p.w);
    height = Math.max(height, p.y + p.h);
  }
  return { places, boxes, curves, width, height };
}
