// Which rows the items of one container stand in, or of two that are partners: the second flows upwards, and what
// belongs together shares a row. Rows are counted from the top.

function ranks(left, right, links, seen) {
  const lefts = left < 0 ? [] : childrenOf.get(left),
    rights = right < 0 ? [] : childrenOf.get(right);
  const all = [...lefts, ...rights],
    down = [];
  for (const c of [left, right]) {
    if (c < 0) continue;
    const inner = [...links.get(c).values()].filter((k) => k.tail >= 0 && k.head >= 0).map((k) => [k.tail, k.head]);
    const back = backLinks(childrenOf.get(c), inner);
    inner.forEach(([a, b], i) => down.push(back.has(i) !== (c === right) ? [b, a] : [a, b]));
  }
  const match = new Map(),
    here = new Set(lefts),
    taken = new Set();
  const pair = (c, of) => {
    if (here.has(of) && !taken.has(of) && !match.has(c)) {
      match.set(c, of);
      taken.add(of);
    }
  };
  for (const c of rights) if (partnerOf.has(c)) pair(c, partnerOf.get(c));
  for (const c of rights) for (const of of seen.tiesOf.get(c) || []) pair(c, of);
  let rank;
  for (let attempt = 0; ; attempt++) {
    if (attempt === 4) match.clear();
    const stand = (c) => (match.has(c) ? match.get(c) : c);
    const found = longestPaths(
      [...new Set(all.map(stand))],
      down.map(([a, b]) => [stand(a), stand(b)]).filter(([a, b]) => a !== b),
    );
    rank = new Map(all.map((c) => [c, found.rank.get(stand(c))]));
    if (!found.cyclic.length || attempt === 4) break;
    const stuck = new Set(found.cyclic);
    for (const [c, of] of [...match]) if (stuck.has(of)) match.delete(c);
  }
  // Leaves stand next to what they feed, ends next to what made them.
  const fixed = new Set([...match.keys(), ...match.values()]),
    above = new Map(),
    below = new Map();
  for (const [a, b] of down) {
    if (!below.has(a)) below.set(a, []);
    if (!above.has(b)) above.set(b, []);
    below.get(a).push(b);
    above.get(b).push(a);
  }
  for (const c of [...all].reverse()) {
    if (fixed.has(c)) continue;
    if (!above.has(c) && below.has(c)) rank.set(c, Math.min(...below.get(c).map((b) => rank.get(b))) - 1);
    else if (!below.has(c) && above.has(c)) rank.set(c, Math.max(...above.get(c).map((a) => rank.get(a))) + 1);
  }
  const used = new Map([...new Set(rank.values())].sort((a, b) => a - b).map((r, i) => [r, i]));
  return { rank: new Map([...rank].map(([c, r]) => [c, used.get(r)])), count: Math.max(1, used.size) };
}
