// What the figure shows: which lines a choice of source, axes and designs leaves, and where their points are.
const AXES = data.figure.axes;
const AXIS_NAMES = { encoder: "encoder", connector: "connector", adapter: "adapter data", vision: "vision encoder",
  instruct: "instruction data", llm: "LLM" };

function sourceOf(state) {
  return data.figure.sources.find((source) => source.key === state.source);
}

const FIGURE_6 = { adapter: "1.2M", vision: "frozen", instruct: "737k" };
const MOST_LINES = 40;

function varyingAxes(lines) {
  return AXES.filter((axis) => unique(lines.map((line) => line.design[axis])).length > 1);
}

// The most frequent choice of an axis: what the other designs are compared at.
function usual(lines, axis) {
  const counts = {};
  for (const line of lines) counts[line.design[axis]] = (counts[line.design[axis]] || 0) + 1;
  return inOrder(Object.keys(counts)).reduce((best, value) => (counts[value] > counts[best] ? value : best));
}

function initialState(source) {
  return { source: source.key, x: "category", by: "", fixed: {}, measure: "average",
    hiddenSupervision: new Set(), hiddenLines: new Set() };
}

// What a figure begins with: if there are more lines than one can tell apart, all encoders with one recipe, that
// of the paper's Figure 6 where it is there; all lines of one axis are compared at one choice of the others.
function usualDesign(state) {
  const lines = sourceOf(state).lines;
  const crowded = state.x === "category" && lines.length > MOST_LINES;
  state.fixed = {};
  for (const axis of freeAxes(state).filter((each) => each !== state.by)) {
    if (state.by === "" && !(crowded && axis !== "encoder")) continue;
    const known = lines.some((line) => line.design[axis] === FIGURE_6[axis]);
    state.fixed[axis] = known ? FIGURE_6[axis] : usual(lines, axis);
  }
}

function freeAxes(state) {
  return varyingAxes(sourceOf(state).lines).filter((axis) => axis !== state.x);
}

function chosenLines(state) {
  const fits = (line) => Object.entries(state.fixed).every(([axis, value]) => value === "" || line.design[axis] === value);
  return sourceOf(state).lines.filter(fits);
}

// A value of a line at one place: score, ends of the interval, blind, chance, and which part was asked.
function valueAt(line, measure) {
  if (measure !== "average") return line.points[measure] || null;
  if (!line.average) return null;
  const parts = Object.values(line.points);
  const level = (index) => (parts.every((part) => part[index] !== null) ? mean(parts.map((part) => part[index])) : null);
  return [...line.average, level(3), level(4), unique(parts.map((part) => part[5]).filter(Boolean)).join("; ")];
}

function point(line, measure, place) {
  const value = valueAt(line, measure);
  if (!value) return null;
  const [score, low, high, blind, chance, part] = value;
  return { place, score, low, high, blind, chance, part, line, supervision: line.supervision };
}

// Lines with their points, best first, and the places on the x axis.
function seriesOf(state) {
  const lines = chosenLines(state).filter((line) => !state.hiddenSupervision.has(line.supervision));
  const places = placesOf(state, lines);
  const series = state.x === "category" ? byCategory(lines) : byAxis(state, lines, places);
  const shown = series.filter((one) => one.points.length);
  nameSeries(shown, state);
  shown.sort((a, b) => b.height - a.height || collator.compare(a.name, b.name));
  return { series: shown, places };
}

// What stands along the axis; encoders by supervision, then from the best to the worst.
function placesOf(state, lines) {
  if (state.x === "category") return Object.values(data.figure.categories);
  if (state.x !== "encoder") return inOrder(lines.map((line) => line.design[state.x]));
  const best = new Map();
  for (const line of lines) {
    const score = (valueAt(line, state.measure) || [-1])[0];
    const known = best.get(line.design.encoder) || { score: -1, kind: Object.keys(LOOKS).indexOf(line.supervision) };
    best.set(line.design.encoder, { ...known, score: Math.max(known.score, score) });
  }
  const order = (a, b) => best.get(a).kind - best.get(b).kind || best.get(b).score - best.get(a).score || collator.compare(a, b);
  return [...best.keys()].sort(order);
}

function byCategory(lines) {
  return lines.map((line) => ({
    lines: [line],
    published: line.published,
    supervision: line.supervision,
    height: line.average ? line.average[0] : -1,
    summary: line.average ? line.average[0] : null,
    points: CATEGORIES.map((category, place) => point(line, category, place)).filter(Boolean),
  }));
}

// One line for all designs that differ in nothing but the axis below; two of the same design stay apart.
function byAxis(state, lines, places) {
  const groups = new Map();
  for (const line of lines) {
    const design = AXES.filter((axis) => axis !== state.x).map((axis) => line.design[axis]);
    for (let turn = 0; ; turn += 1) {
      const key = JSON.stringify([...design, line.published, turn]);
      const group = groups.get(key) || groups.set(key, new Map()).get(key);
      if (group.has(line.design[state.x])) continue;
      group.set(line.design[state.x], line);
      break;
    }
  }
  return [...groups.values()].map((group) => {
    const members = places.map((value) => group.get(value)).filter(Boolean);
    const found = members.map((line) => point(line, state.measure, places.indexOf(line.design[state.x]))).filter(Boolean);
    const kinds = unique(members.map((line) => line.supervision));
    return { lines: members, published: members[0].published, supervision: kinds.length === 1 ? kinds[0] : "mixed",
      points: found, height: found.length ? mean(found.map((one) => one.score)) : -1, summary: null };
  });
}

// A line is named after what tells it from the others; the axis that makes the lines comes first.
function nameSeries(series, state) {
  const shown = series.flatMap((one) => one.lines);
  const varying = varyingAxes(shown).filter((axis) => axis !== state.x && axis !== state.by);
  const axes = [...(state.by ? [state.by] : []), ...varying];
  const names = series.map((one) => {
    const design = one.lines[0].design;
    return (axes.length ? axes : ["encoder"]).map((axis) => design[axis]).join(" ");
  });
  series.forEach((one, index) => {
    const twice = names.filter((name) => name === names[index]).length > 1;
    const what = !twice ? "" : one.published ? " (published)" : ` ${one.lines[0].runs[0].slice(0, 8)}`;
    one.name = names[index] + what;
    one.part = unique(one.points.map((each) => each.part).filter(Boolean)).join("; ");
    one.key = `${one.published} ${one.lines.map((line) => line.runs.join() || line.label + JSON.stringify(line.design)).join("|")}`;
  });
}
