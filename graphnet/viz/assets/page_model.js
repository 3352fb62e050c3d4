// The graph as data: nodes 0..N-1, boxes N..N+B-1, and two roots, the forward column and that of the gradient.
// `opened` says which boxes are open; what is inside of a closed one is represented by it.

const data = JSON.parse(document.getElementById("data").textContent);
const N = data.nodes.length;
const B = data.boxes.length;
const FORWARD = N + B;
const BACKWARD = N + B + 1;
const isBox = (i) => i >= N && i < FORWARD;
const boxOf = (i) => data.boxes[i - N];

const parentOf = [];
data.nodes.forEach((n) => parentOf.push(n.box !== undefined ? N + n.box : n.back ? BACKWARD : FORWARD));
data.boxes.forEach((b) => parentOf.push(b.parent !== undefined ? N + b.parent : b.back ? BACKWARD : FORWARD));
parentOf.push(-1, -1);

// The children of boxes and roots, in the order of the program.
const childrenOf = new Map([
  [FORWARD, []],
  [BACKWARD, []],
]);
{
  const met = new Set();
  for (let i = 0; i < N; i++) {
    for (let child = i; parentOf[child] >= 0 && !met.has(child); child = parentOf[child]) {
      met.add(child);
      if (!childrenOf.has(parentOf[child])) childrenOf.set(parentOf[child], []);
      childrenOf.get(parentOf[child]).push(child);
    }
  }
}

// The box that a box of gradients belongs to, and the other way round.
const partnerOf = new Map([[BACKWARD, FORWARD]]);
data.boxes.forEach((b, i) => {
  if (b.of !== undefined) partnerOf.set(N + i, N + b.of);
});

// What an item is inside of, the innermost first, up to its root.
const chains = parentOf.map((_, i) => {
  const chain = [];
  for (let p = parentOf[i]; p >= 0; p = parentOf[p]) chain.push(p);
  return chain;
});
const ancestors = (i) => chains[i];
const depthOf = (i) => chains[i].length - 1;
const inBack = (i) => i === BACKWARD || chains[i][chains[i].length - 1] === BACKWARD;

// What a box holds: ops, numbers that learn, bytes, seconds.
const sums = data.boxes.map(() => ({ nodes: 0, ops: 0, numbers: 0, bytes: 0, seconds: 0 }));
const numbersIn = (type) =>
  (/\[(.*)\]/.exec(type || "") || ["", ""])[1].split(",").reduce((n, d) => n * (d.trim() === "" ? 1 : +d), 1);
data.nodes.forEach((n, i) => {
  for (const p of ancestors(i)) {
    if (!isBox(p)) continue;
    const s = sums[p - N];
    s.nodes += 1;
    s.ops += n.op ? 1 : 0;
    s.numbers += n.kind === "parameter" ? numbersIn(n.type) : 0;
    s.bytes += n.op ? n.bytes : 0;
    s.seconds += n.seconds || 0;
  }
});

const opened = new Set();
function openLevels(level) {
  opened.clear();
  for (let b = N; b < FORWARD; b++) if (!boxOf(b).shelf && (level === null || depthOf(b) < level)) opened.add(b);
}

// For every node what stands for it now, and in which order these are met.
function visibleNow() {
  const standsFor = new Array(N);
  const items = new Set();
  for (let i = 0; i < N; i++) {
    let shown = i;
    for (const p of chains[i]) if (p < FORWARD && !opened.has(p)) shown = p;
    standsFor[i] = shown;
    items.add(shown);
  }
  const edges = new Map();
  for (const [tail, head] of data.edges) {
    const a = standsFor[tail],
      b = standsFor[head];
    if (a === b) continue;
    const key = a * (N + B) + b;
    if (!edges.has(key)) edges.set(key, { tail: a, head: b, key });
  }
  // Which gradients belong to what, as far as both can be seen.
  const tiesOf = new Map();
  for (const [tail, head] of data.ties) {
    const a = standsFor[tail],
      b = standsFor[head];
    if (a === b) continue;
    if (!tiesOf.has(b)) tiesOf.set(b, new Set());
    tiesOf.get(b).add(a);
  }
  return { standsFor, items: [...items], edges: [...edges.values()], tiesOf };
}

const plural = (n, what) => `${n.toLocaleString("en-US")} ${what}${n === 1 ? "" : "s"}`;
const short = (text, limit) => (text.length > limit ? text.slice(0, limit - 1) + "…" : text);

function textOf(i) {
  if (!isBox(i)) return data.nodes[i].lines;
  const b = boxOf(i),
    s = sums[i - N];
  if (b.shelf) return [b.label];
  const lines = [b.kind ? `${b.label} (${b.kind})` : b.label, plural(s.ops, "op")];
  if (s.numbers) lines[1] += `, ${plural(s.numbers, "parameter")}`;
  return lines;
}
const kindOf = (i) => (isBox(i) ? (boxOf(i).gradient ? "gradient region" : "region") : data.nodes[i].kind);
function nameOf(i) {
  if (isBox(i)) return boxOf(i).label;
  const n = data.nodes[i];
  return n.title || n.name || n.lines[0];
}
const insides = (i) =>
  ancestors(i)
    .filter(isBox)
    .reverse()
    .map((p) => boxOf(p).label);
