// The panel beside the graph: all that is known of the node or box that is chosen. Texts are set as text, never as markup.

const panel = document.getElementById("panel");
let chosen = -1;

function element(tag, properties = {}, ...children) {
  const e = document.createElement(tag);
  Object.assign(e, properties);
  e.append(...children);
  return e;
}
const heading = (text) => element("h3", { textContent: text });
const code = (text) => element("pre", { textContent: text, tabIndex: 0 });

const UNITS = ["bytes", "KB", "MB", "GB", "TB"];
function bytesText(n) {
  let unit = 0;
  while (n >= 1024 && unit < UNITS.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${unit ? n.toPrecision(3) : n} ${n === 1 && !unit ? "byte" : UNITS[unit]}`;
}
const timeText = (s) =>
  s >= 1 ? `${s.toPrecision(3)} s` : s >= 1e-3 ? `${(s * 1e3).toPrecision(3)} ms` : `${(s * 1e6).toPrecision(3)} µs`;
const numberText = (v) =>
  typeof v === "number" && !Number.isInteger(v) ? String(+v.toPrecision(5)) : v.toLocaleString("en-US");

function facts(pairs) {
  const list = element("dl");
  for (const [name, value, bad] of pairs) {
    if (value === undefined || value === "") continue;
    list.append(
      element("dt", { textContent: name }),
      element("dd", { textContent: value, className: bad ? "bad" : "" }),
    );
  }
  return list;
}

function siteText(place) {
  const [file, line, text] = data.sites[place];
  return [
    heading("Source line"),
    element("p", { className: "site" }, element("code", { textContent: `${file}:${line}` })),
    ...(text ? [code(text)] : []),
  ];
}

function neighbours(title, ids) {
  if (!ids.length) return [];
  const list = element("ul");
  for (const i of ids.slice(0, 40)) {
    const n = data.nodes[i];
    const b = element("button", {
      type: "button",
      textContent: `${nameOf(i)}${n.op ? ` = ${n.op}` : ""}  ${n.type || ""}`,
    });
    b.addEventListener("click", () => goTo(i));
    list.append(element("li", {}, b));
  }
  if (ids.length > 40) list.append(element("li", { textContent: `… ${ids.length - 40} more` }));
  return [heading(title), list];
}

function bars([counts, low, high]) {
  const picture = make("svg", {
    class: "bars",
    viewBox: `0 0 ${counts.length} 50`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": "histogram",
  });
  const most = Math.max(...counts);
  counts.forEach((n, i) => {
    const r = make("rect", { x: i + 0.06, y: 50 - (48 * n) / most, width: 0.88, height: (48 * n) / most });
    r.append(make("title", {}, `${n}`));
    picture.append(r);
  });
  return [
    picture,
    element(
      "div",
      { className: "ends" },
      element("span", { textContent: numberText(low) }),
      element("span", { textContent: numberText(high) }),
    ),
  ];
}

function valueFacts(title, s) {
  const parts = [
    heading(title),
    facts([
      ["numbers", numberText(s.count)],
      ["NaN", s.nan && numberText(s.nan), true],
      ["infinite", s.inf && numberText(s.inf), true],
      ["min, max", s.min === undefined ? undefined : `${numberText(s.min)}, ${numberText(s.max)}`],
      ["mean ± std", s.min === undefined ? undefined : `${numberText(s.mean)} ± ${numberText(s.std)}`],
      ["norm", s.norm === undefined ? undefined : numberText(s.norm)],
      ["zeros", s.zeros ? `${numberText(s.zeros)} (${Math.round((100 * s.zeros) / s.count)} %)` : undefined],
    ]),
  ];
  if (s.histogram && s.count > 1) parts.push(...bars(s.histogram));
  return parts;
}

function nodeParts(i) {
  const n = data.nodes[i],
    op = n.op && data.ops[n.op],
    parts = [];
  parts.push(
    element("p", {
      className: "kind",
      textContent: [data.looks[n.kind] || n.kind, insides(i).join(" / ")].filter(Boolean).join(" in "),
    }),
  );
  if (op) {
    const text = element(
      "pre",
      { tabIndex: 0, className: "formula" },
      element("b", { textContent: n.name }),
      ` = ${n.call}`,
    );
    if (n.formula) text.append(`\n${" ".repeat(n.name.length)} = ${n.formula}`);
    parts.push(heading("Formula"), text);
    if (op.doc) parts.push(element("p", { textContent: op.doc }));
  }
  if (n.type) {
    parts.push(
      heading("Shape and dtype"),
      facts([
        ["type", n.type],
        ["memory", bytesText(n.bytes)],
        ["time", n.seconds === undefined ? undefined : timeText(n.seconds)],
        ["gradient of", n.of],
        ["learns", n.learns === undefined ? undefined : n.learns ? "yes" : "no"],
      ]),
    );
  }
  if (op && op.rules.length) {
    parts.push(
      heading("Gradient rule"),
      element("p", { className: "kind", textContent: "g is the gradient of the output y" }),
    );
    for (const [name, text] of op.rules) parts.push(element("p", { textContent: `for ${name}:` }), code(text));
  }
  if (n.bad) parts.push(element("p", { className: "bad", textContent: `${n.bad} of this run: its inputs are finite` }));
  if (n.stats) parts.push(...valueFacts("Statistics", n.stats));
  if (n.slope) parts.push(...valueFacts("Gradient for it", n.slope));
  if (n.site !== undefined) parts.push(...siteText(n.site));
  if (n.code && data.code) {
    const text = element("pre", { tabIndex: 0, className: "code" });
    const lines = data.code.slice(...n.code),
      own = new RegExp(`\\bv_${n.name}\\b`);
    const indent = Math.min(...lines.filter((l) => l.trim()).map((l) => l.length - l.trimStart().length));
    lines.forEach((line) => {
      const shown = `${line.slice(indent)}\n`;
      text.append(own.test(line) ? element("b", { textContent: shown }) : shown);
    });
    parts.push(heading("Generated code"), text);
  }
  const feeds = [],
    fed = [];
  for (const [tail, head] of data.edges) {
    if (head === i) feeds.push(tail);
    if (tail === i) fed.push(head);
  }
  parts.push(...neighbours("Inputs", [...new Set(feeds)]), ...neighbours("Used by", [...new Set(fed)]));
  return parts;
}

function boxParts(i) {
  const b = boxOf(i),
    s = sums[i - N],
    parts = [];
  const outer = insides(i).join(" / ");
  parts.push(
    element("p", {
      className: "kind",
      textContent: `${b.kind || (b.gradient ? "gradients" : "layer or function")}${outer ? ` in ${outer}` : ""}`,
    }),
  );
  const toggle = element("button", {
    type: "button",
    id: "toggle",
    textContent: opened.has(i) ? "Close this box" : "Open this box",
  });
  toggle.addEventListener("click", () => toggleBox(i));
  parts.push(
    toggle,
    heading("Contents"),
    facts([
      ["nodes", numberText(s.nodes)],
      ["ops", numberText(s.ops)],
      ["parameters", s.numbers ? numberText(s.numbers) : undefined],
      ["memory of results", bytesText(s.bytes)],
      ["time", s.seconds ? timeText(s.seconds) : undefined],
    ]),
  );
  if (b.attrs) parts.push(heading("Arguments"), facts(Object.entries(b.attrs)));
  if (b.site !== undefined) parts.push(...siteText(b.site));
  return parts;
}

function choose(i, announce = true) {
  chosen = i;
  const held = panel.contains(document.activeElement);
  if (i < 0) {
    panel.hidden = true;
    panel.replaceChildren();
  } else {
    const close = element("button", { type: "button", className: "close", textContent: "✕", title: "Close (Esc)" });
    close.setAttribute("aria-label", "Close the panel");
    close.addEventListener("click", () => {
      choose(-1);
      focusCurrent();
    });
    const narrow = panel.hidden;
    panel.hidden = false;
    panel.replaceChildren(close, element("h2", { textContent: nameOf(i) }), ...(isBox(i) ? boxParts(i) : nodeParts(i)));
    panel.scrollTop = 0;
    if (held) close.focus();
    if (narrow && placeOf(i)) reveal(i);
    if (announce) say(`${nameOf(i)}: ${textOf(i).join(", ")}`);
  }
  paintSoon();
}

function say(text) {
  document.getElementById("said").textContent = text;
}
