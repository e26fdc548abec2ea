// The picture of the figure: as wide as its place, text at its own size, nothing over anything else.
const PLOT = { left: 46, top: 18, bottom: 44, height: 440, lead: 16, gap: 14.5 };
const TILTED = 150;  // pixels of a name below the axis, where names are too long to stand side by side

function scaleOf(series) {
  const found = series.flatMap((one) => one.points);
  const lows = found.flatMap((one) => [one.low ?? one.score, one.blind, one.chance]).filter((value) => value !== null);
  const highs = found.flatMap((one) => [one.high ?? one.score, one.blind]).filter((value) => value !== null);
  const low = Math.max(0, 5 * Math.floor(Math.min(...lows) / 5 - 0.2));
  const high = Math.min(101, 5 * Math.ceil(Math.max(...highs) / 5 + 0.1));
  return { low, high, step: high - low > 60 ? 20 : high - low > 25 ? 10 : 5 };
}

function bestOf(series) {
  const best = new Map();
  for (const one of series) {
    const key = `${one.published} ${one.supervision}`;
    if (!best.has(key)) best.set(key, one);
  }
  return new Set(best.values());
}

const ruler = document.createElement("canvas").getContext("2d");

// Width in pixels of a text in the figure, which is never set wider than this.
function textWidth(text) {
  ruler.font = `650 12px ${getComputedStyle(document.body).fontFamily}`;
  return ruler.measureText(text).width;
}

function cut(text, width) {
  let most = text.length;
  while (most > 1 && textWidth(text.slice(0, most)) > width) most -= 1;
  return most === text.length ? text : `${text.slice(0, most - 1)}…`;
}

// Lays the picture out: margins, scales, and the sideways steps that keep the bars of different lines apart.
function layOut(series, places, width) {
  const best = bestOf(series);
  let labelled = width < 620 ? [] : series;
  if (labelled.length * PLOT.gap > PLOT.height - PLOT.top - PLOT.bottom) labelled = series.filter((one) => best.has(one));
  const longest = Math.max(0, ...labelled.map((one) => textWidth(one.name)));
  const column = labelled.length ? Math.min(longest + 4, width * 0.28) : 0;
  const right = labelled.length ? column + PLOT.lead + 52 : 14;
  const scale = scaleOf(series);
  const crowd = (width - PLOT.left - right) / places.length;
  const tilted = places.some((place) => tickLines(place, crowd).some((line) => line.endsWith("…")));
  // A tilted name begins left of its place; the first one has to stay inside.
  const left = tilted ? Math.max(PLOT.left, 0.75 * Math.min(textWidth(places[0]), TILTED)) : PLOT.left;
  const step = (width - left - right) / places.length;
  const bottom = tilted ? 30 + 0.7 * Math.min(Math.max(...places.map(textWidth)), TILTED) : PLOT.bottom;
  const inner = PLOT.height - PLOT.top - bottom;
  const x = (place) => left + step * (place + 0.5);
  const y = (score) => PLOT.top + inner * (1 - (score - scale.low) / (scale.high - scale.low));
  const own = series.filter((one) => one.points.some((each) => each.low !== null));
  const stride = Math.min(9, (0.3 * step) / Math.max(own.length - 1, 1));
  const shift = new Map(own.map((one, index) => [one, stride * (index - (own.length - 1) / 2)]));
  return { best, labelled, column, right, scale, step, x, y, width, tilted, left, bottom, shift: (one) => shift.get(one) || 0 };
}

function drawFigure(series, places, width) {
  const layout = layOut(series, places, width);
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${PLOT.height}`, height: PLOT.height, tabindex: 0, role: "group", class: series.length > 30 ? "dense" : null,
    "aria-label": "Scores. Left and right arrows go along the axis below, up and down from line to line." });
  svg.append(...frame(layout, places), ...levels(layout, series, places));
  const both = series.some((one) => one.published) && series.some((one) => !one.published);
  const ordered = [...series].sort((a, b) => layout.best.has(a) - layout.best.has(b));
  for (const one of ordered) svg.append(drawSeries(one, layout, both && one.published));
  svg.append(...drawLabels(layout));
  svg.append(drawn("circle", { class: "at", r: 7, visibility: "hidden" }));
  return { svg, layout };
}

function frame(layout, places) {
  const found = [];
  const { scale, x, y, width, right } = layout;
  for (let value = Math.ceil(scale.low / scale.step) * scale.step; value <= scale.high; value += scale.step) {
    found.push(drawn("path", { class: "grid", d: `M${layout.left},${y(value)}H${width - right}` }),
      drawn("text", { class: "axis", x: layout.left - 8, y: y(value) + 4, "text-anchor": "end" }, String(value)));
  }
  places.forEach((place, index) => {
    found.push(drawn("path", { class: "column", d: `M${x(index)},${PLOT.top}V${PLOT.height - layout.bottom}` }),
      ...tick(place, x(index), PLOT.height - layout.bottom + 17, layout));
  });
  return found;
}

function tick(place, x, y, layout) {
  if (layout.tilted) {
    return [drawn("text", { class: "axis", x: x + 4, y: y - 4, "text-anchor": "end", transform: `rotate(-45 ${x + 4} ${y - 4})` }, cut(place, TILTED))];
  }
  return tickLines(place, layout.step).map((line, index) =>
    drawn("text", { class: "axis", x, y: y + 13 * index, "text-anchor": "middle" }, line));
}

// A name below the axis, in at most two lines of its own column.
function tickLines(name, step) {
  if (textWidth(name) <= step - 4) return [name];
  const middle = Math.max(name.lastIndexOf(" ", name.length / 2 + 2), name.lastIndexOf("-", name.length / 2 + 4) + 1, name.lastIndexOf("+") + 1);
  const parts = middle > 0 ? [name.slice(0, middle).trim(), name.slice(middle).trim()] : [name];
  return parts.map((part) => cut(part, step - 2));
}

// Chance, and the models without the image: mean and range, at every place on the axis.
function levels(layout, series, places) {
  const found = [];
  const reach = Math.min(layout.step * 0.38, 70);
  places.forEach((_, place) => {
    const here = series.flatMap((one) => one.points.filter((each) => each.place === place));
    const blind = here.map((each) => each.blind).filter((value) => value !== null);
    const chance = here.map((each) => each.chance).filter((value) => value !== null);
    const [from, to] = [layout.x(place) - reach, layout.x(place) + reach];
    if (blind.length) {
      const [top, bottom] = [layout.y(Math.max(...blind)), layout.y(Math.min(...blind))];
      found.push(drawn("rect", { class: "blind", x: from, y: top, width: to - from, height: Math.max(bottom - top, 1) }),
        drawn("path", { class: "blind-mean", d: `M${from},${layout.y(mean(blind))}H${to}` }));
    }
    if (chance.length) found.push(drawn("path", { class: "chance", d: `M${from},${layout.y(mean(chance))}H${to}` }));
  });
  return found;
}

function drawSeries(one, layout, pale) {
  const best = layout.best.has(one);
  const group = drawn("g", { class: `${one.supervision} ${best ? "best" : ""} ${pale ? "pale" : ""}`, "data-key": one.key });
  const at = (each) => [layout.x(each.place) + layout.shift(one), layout.y(each.score)];
  const path = one.points.map((each, index) => {
    const begins = index === 0 || each.place !== one.points[index - 1].place + 1;  // a gap stays a gap
    return `${begins ? "M" : "L"}${at(each).join()}`;
  });
  group.append(drawn("path", { class: "series", d: path.join(""), "stroke-dasharray": LOOKS[one.supervision].dashes || null }));
  for (const each of one.points) {
    const [x, y] = at(each);
    if (each.low !== null) group.append(drawn("path", { class: "bar", d: `M${x},${layout.y(each.low)}V${layout.y(each.high)}` }));
    group.append(drawn("path", { class: `mark ${each.supervision}`, d: markPath(each.supervision, x, y, best ? 4.4 : 3.1) }));
  }
  return group;
}

// Moves labels as little as it takes to be a gap apart and inside; their order stays.
function spread(heights, gap, low, high) {
  const order = heights.map((_, index) => index).sort((a, b) => heights[a] - heights[b]);
  const blocks = [];
  order.forEach((index, place) => {
    blocks.push([heights[index] - gap * place, 1]);
    while (blocks.length > 1 && blocks.at(-2)[0] >= blocks.at(-1)[0]) {
      const [last, before] = [blocks.pop(), blocks.pop()];
      const total = last[1] + before[1];
      blocks.push([(last[0] * last[1] + before[0] * before[1]) / total, total]);
    }
  });
  const base = blocks.flatMap(([middle, size]) => Array(size).fill(middle));
  const ceiling = high - gap * (heights.length - 1);
  const placed = [];
  order.forEach((index, place) => { placed[index] = Math.max(low, Math.min(base[place], ceiling)) + gap * place; });
  return placed;
}

function drawLabels(layout) {
  const ends = layout.labelled.map((one) => one.points.at(-1));
  const heights = spread(ends.map((end) => layout.y(end.score)), PLOT.gap, PLOT.top + 6, PLOT.height - layout.bottom);
  const edge = layout.width - layout.right;
  const means = layout.labelled.some((one) => one.summary !== null);
  const head = drawn("text", { class: "small", x: layout.width - 8, y: PLOT.top - 5, "text-anchor": "end" }, means ? "mean" : "");
  const labels = layout.labelled.map((one, index) => {
    const end = ends[index];
    const start = layout.x(end.place) + layout.shift(one);
    const group = drawn("g", { class: one.supervision, "data-key": one.key });
    if (end.place === Math.max(...ends.map((each) => each.place))) {
      group.append(drawn("path", { class: "lead-line", d: `M${start},${layout.y(end.score)}H${edge}L${edge + PLOT.lead - 3},${heights[index]}` }));
    }
    const weight = layout.best.has(one) ? "label best" : "label";
    group.append(drawn("text", { class: weight, x: edge + PLOT.lead, y: heights[index] + 4 }, cut(one.name, layout.column)));
    if (one.summary !== null) {
      group.append(drawn("text", { class: weight, x: layout.width - 8, y: heights[index] + 4, "text-anchor": "end" }, points(one.summary)));
    }
    return group;
  });
  return [head, ...labels];
}
