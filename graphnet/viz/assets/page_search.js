// Search by name, op, layer or type: hits in the order of the program, and the way to each of them opened.

const query = document.getElementById("query");
const found = { text: "", list: [], at: -1 };

function searchedText(i) {
  if (isBox(i)) return `${boxOf(i).label} ${boxOf(i).kind || ""}`;
  const n = data.nodes[i];
  return `${n.name || ""} ${n.title || ""} ${n.op || ""} ${n.type || ""} ${n.lines[0]}`;
}

function search(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  found.text = text;
  found.at = -1;
  found.list = [];
  if (words.length) {
    const all = [];
    for (let b = N; b < FORWARD; b++) all.push(b);
    for (let i = 0; i < N; i++) all.push(i);
    // A node is found by what it is inside of, too; those that bear the words themselves come first.
    const own = [],
      within = [];
    for (const i of all) {
      const self = searchedText(i).toLowerCase(),
        path = `${insides(i).join(" ")} ${self}`.toLowerCase();
      if (words.every((w) => self.includes(w))) own.push(i);
      else if (words.length > 1 && words.every((w) => path.includes(w))) within.push(i);
    }
    found.list = [...own, ...within];
  }
  showHits();
}

function showHits() {
  const n = found.list.length;
  document.getElementById("hits").textContent = !query.value.trim()
    ? ""
    : !n
      ? "no hit"
      : found.at < 0
        ? plural(n, "hit")
        : `${found.at + 1} of ${n.toLocaleString("en-US")}`;
}

function nextHit(step) {
  if (query.value !== found.text) search(query.value);
  if (!found.list.length) {
    say("no hit");
    return;
  }
  found.at = (found.at + step + found.list.length + (found.at < 0 && step < 0 ? 1 : 0)) % found.list.length;
  showHits();
  goTo(found.list[found.at]);
  say(`${found.at + 1} of ${found.list.length}: ${nameOf(found.list[found.at])}`);
}

// Open what is around an item, choose it, and bring it into the middle.
function goTo(i) {
  const closed = ancestors(i).filter((p) => isBox(p) && !opened.has(p));
  closed.forEach((p) => opened.add(p));
  if (closed.length) relayout();
  current = i;
  choose(i, false);
  light(i);
  reveal(i, true);
  paint();
}
