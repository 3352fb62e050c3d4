// One flat graph in layers, after Sugiyama, Tagawa and Toda: ranks by longest paths, orders by barycentres, places by
// averaging with neighbours. As in the library's own pictures.

function backLinks(items, pairs) {
  const after = new Map(items.map((i) => [i, []]));
  pairs.forEach(([a, b], place) => after.get(a).push([place, b]));
  const found = new Set(),
    state = new Map();
  for (const root of items) {
    if (state.has(root)) continue;
    state.set(root, 1);
    const stack = [[root, 0]];
    while (stack.length) {
      const top = stack[stack.length - 1],
        next = after.get(top[0]);
      if (top[1] === next.length) {
        state.set(top[0], 2);
        stack.pop();
        continue;
      }
      const [place, b] = next[top[1]++];
      if (state.get(b) === 1) found.add(place);
      else if (!state.has(b)) {
        state.set(b, 1);
        stack.push([b, 0]);
      }
    }
  }
  return found;
}

function longestPaths(items, pairs) {
  const after = new Map(items.map((i) => [i, []])),
    waiting = new Map(items.map((i) => [i, 0]));
  for (const [a, b] of pairs) {
    after.get(a).push(b);
    waiting.set(b, waiting.get(b) + 1);
  }
  const rank = new Map(items.map((i) => [i, 0])),
    ready = items.filter((i) => !waiting.get(i));
  for (const i of ready) {
    for (const b of after.get(i)) {
      rank.set(b, Math.max(rank.get(b), rank.get(i) + 1));
      waiting.set(b, waiting.get(b) - 1);
      if (!waiting.get(b)) ready.push(b);
    }
  }
  return { rank, cyclic: items.filter((i) => waiting.get(i) > 0) };
}

// Crossings between neighbouring layers, counted with a Fenwick tree.
function crossings(layers, links, position) {
  const down = links.down;
  let total = 0;
  for (let r = 0; r + 1 < layers.length; r++) {
    const size = layers[r + 1].length,
      tree = new Int32Array(size + 2);
    let ends = 0;
    for (const n of layers[r]) {
      const heads = down[n].map((k) => position[k.head]).sort((a, b) => a - b);
      for (const h of heads) {
        let before = 0;
        for (let i = h + 1; i > 0; i -= i & -i) before += tree[i];
        total += ends - before;
      }
      for (const h of heads) {
        for (let i = h + 1; i <= size; i += i & -i) tree[i]++;
        ends++;
      }
    }
  }
  return total;
}

// `layers` of small numbers are put into an order with few crossings; those in `first` stay in front.
function putInOrder(layers, links, first, deadline) {
  const position = new Int32Array(links.down.length);
  const note = (layer) =>
    layer.forEach((n, i) => {
      position[n] = i;
    });
  layers.forEach(note);
  let best = crossings(layers, links, position),
    kept = layers.map((l) => [...l]);
  const sweeps = links.count <= 3000 ? 16 : 6;
  for (let sweep = 0; sweep < sweeps && best > 0 && performance.now() < deadline; sweep++) {
    const below = sweep % 2 === 0;
    for (const layer of below ? layers : [...layers].reverse()) {
      if (layer.length < 2) continue;
      const wanted = new Map();
      for (const n of layer) {
        const near = below ? links.up[n] : links.down[n];
        let sum = 0;
        for (const k of near) sum += below ? position[k.tail] + k.out * 1e-3 : position[k.head] + k.into * 1e-3;
        wanted.set(n, n === first ? -1e18 : near.length ? sum / near.length : position[n]);
      }
      layer.sort((a, b) => wanted.get(a) - wanted.get(b));
      note(layer);
    }
    const now = crossings(layers, links, position);
    if (now < best) {
      best = now;
      kept = layers.map((l) => [...l]);
    }
  }
  kept.forEach((l, r) => {
    layers[r] = l;
  });
}

// Places across: near those that are linked, in the order of the layer, never overlapping.
function spread(layers, room, links, gap, deadline) {
  const x = new Float64Array(room.length);
  for (const layer of layers) {
    let edge = 0;
    for (const n of layer) {
      x[n] = edge + room[n].left;
      edge += room[n].left + room[n].right + gap;
    }
    for (const n of layer) x[n] -= edge / 2;
  }
  const sweeps = links.count <= 5000 ? 14 : 6;
  for (let sweep = 0; sweep <= sweeps && performance.now() < deadline; sweep++) {
    const both = sweep === sweeps,
      down = sweep % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) {
      const wanted = [],
        weights = [];
      for (const n of layer) {
        let sum = 0,
          weight = 0;
        if (both || down)
          for (const k of links.up[n]) {
            sum += (x[k.tail] + k.out - k.into) * k.weight;
            weight += k.weight;
          }
        if (both || !down)
          for (const k of links.down[n]) {
            sum += (x[k.head] + k.into - k.out) * k.weight;
            weight += k.weight;
          }
        wanted.push(weight ? sum / weight : x[n]);
        weights.push(weight || 0.05);
      }
      spaced(layer, wanted, weights, room, gap).forEach((place, i) => {
        x[layer[i]] = place;
      });
    }
  }
  return x;
}

// As near to the places wanted as the gaps allow, by least squares: runs that would overlap share one mean.
function spaced(layer, wanted, weights, room, gap) {
  const offsets = [],
    runs = [];
  let offset = 0;
  layer.forEach((n, i) => {
    if (i) offset += room[layer[i - 1]].right + gap + room[n].left;
    offsets.push(offset);
    let total = (wanted[i] - offset) * weights[i],
      mass = weights[i],
      count = 1;
    while (runs.length && runs[runs.length - 1][0] / runs[runs.length - 1][1] > total / mass) {
      const [t, m, c] = runs.pop();
      total += t;
      mass += m;
      count += c;
    }
    runs.push([total, mass, count]);
  });
  const places = [];
  for (const [total, mass, count] of runs)
    for (let i = 0; i < count; i++) places.push(total / mass + offsets[places.length]);
  return places;
}
