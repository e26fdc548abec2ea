// Choosing what the figure shows, and reading it by pointer or keyboard.
const figureState = initialState(data.figure.sources[0]);
let figureDrawn = null;

function startFigure() {
  usualDesign(figureState);
  byId("figure-all").addEventListener("click", () => hideLines(false));
  byId("figure-none").addEventListener("click", () => hideLines(true));
  showFigureControls();
  new ResizeObserver(() => drawChosen()).observe(byId("figure-plot"));
}

function showFigureControls() {
  const state = figureState;
  const change = (name) => (value) => {
    if (name === "source") Object.assign(state, initialState({ key: value }));
    else state[name] = value;
    if (state.by === state.x) state.by = "";
    if (name !== "measure") usualDesign(state);
    state.hiddenLines.clear();
    showFigureControls();
    drawChosen();
    byId(`figure-${name}`).focus();
  };
  const axes = varyingAxes(sourceOf(state).lines).map((axis) => [axis, AXIS_NAMES[axis]]);
  const free = freeAxes(state);
  const controls = [
    selection("Show", data.figure.sources.map((source) => [source.key, source.name]), state.source, change("source"), "figure-source"),
    selection("Along the axis", [["category", "categories (Figure 6)"], ...axes], state.x, change("x"), "figure-x"),
    selection("Lines", [["", "every design"], ...axes.filter(([axis]) => axis !== state.x)], state.by, change("by"), "figure-by"),
  ];
  if (state.x !== "category") {
    const measures = [["average", "average"], ...Object.entries(data.figure.categories)];
    controls.push(selection("Score", measures, state.measure, change("measure"), "figure-measure"));
  }
  for (const axis of free.filter((each) => each !== state.by)) controls.push(designControl(axis));
  byId("figure-controls").replaceChildren(...controls);
  showSupervision();
}

function designControl(axis) {
  const values = inOrder(sourceOf(figureState).lines.map((line) => line.design[axis]));
  const options = [...(figureState.by ? [] : [["", "all"]]), ...values];
  return selection(`Only ${AXIS_NAMES[axis]}`, options, figureState.fixed[axis] || "", (value) => {
    figureState.fixed[axis] = value;
    figureState.hiddenLines.clear();
    showSupervision();
    drawChosen();
  }, `figure-only-${axis}`);
}

function showSupervision() {
  const counts = {};
  for (const line of chosenLines(figureState)) counts[line.supervision] = (counts[line.supervision] || 0) + 1;
  const chips = Object.keys(LOOKS).filter((name) => counts[name]).map((name) => {
    const box = element("input", { type: "checkbox", value: name, checked: !figureState.hiddenSupervision.has(name),
      onchange: () => {
        if (box.checked) figureState.hiddenSupervision.delete(name);
        else figureState.hiddenSupervision.add(name);
        drawChosen();
      } });
    return element("label", { class: name }, box, swatch(name), `${LOOKS[name].name} (${counts[name]})`);
  });
  byId("figure-supervision").replaceChildren(...chips);
}

function hideLines(hide) {
  const keys = seriesOf(figureState).series.map((one) => one.key);
  figureState.hiddenLines = new Set(hide ? keys : []);
  drawChosen();
}

function drawChosen() {
  const { series, places } = seriesOf(figureState);
  const visible = series.filter((one) => !figureState.hiddenLines.has(one.key));
  const width = Math.max(byId("figure-plot").clientWidth, 260);
  const tip = element("div", { class: "tip", hidden: true });
  byId("figure-note").textContent = figureNote();
  byId("figure-count").textContent = several(visible.length, "line");
  byId("figure-lines").replaceChildren(...series.map(lineControl));
  byId("figure-readout").textContent = "";
  if (!visible.length) {
    byId("figure-plot").replaceChildren(element("p", { class: "note wide" }, "No line is chosen."));
    figureDrawn = null;
    return;
  }
  const { svg, layout } = drawFigure(visible, places, width);
  figureDrawn = { svg, layout, tip, series: visible, at: null };
  svg.addEventListener("pointermove", (event) => readAt(nearest(event)));
  svg.addEventListener("pointerleave", () => readAt(null));
  svg.addEventListener("keydown", step);
  svg.addEventListener("blur", () => readAt(null));
  byId("figure-plot").replaceChildren(svg, tip);
}

function figureNote() {
  const source = sourceOf(figureState);
  const sizes = CATEGORIES.map((category) => `${data.figure.categories[category]} ${source.benchmarks[category].length}`);
  const means = `A point is the mean of a category’s benchmarks (${sizes.join(", ")}). `;
  if (source.key === "published") return `${means}Published by Cambrian-1, without intervals.`;
  const scale = source.key.replace("own ", "");
  const whose = source.key === "both" ? "Published lines are pale and have no intervals. "
    : scale === "paper" ? "" : `Results of scale=${scale}: not comparable with the paper’s numbers. `;
  return `${whose}${means}Bars are 95 % intervals; grey is the same models without the image, with their mean; dotted is chance.`;
}

function lineControl(one) {
  const box = element("input", { type: "checkbox", checked: !figureState.hiddenLines.has(one.key), onchange: () => {
    if (box.checked) figureState.hiddenLines.delete(one.key);
    else figureState.hiddenLines.add(one.key);
    const top = byId("figure-lines").scrollTop;
    const place = [...byId("figure-lines").querySelectorAll("input")].indexOf(box);
    drawChosen();
    byId("figure-lines").scrollTop = top;
    byId("figure-lines").querySelectorAll("input")[place].focus();
  } });
  const value = one.summary === null ? "" : points(one.summary);
  return element("label", { class: one.supervision, "data-key": one.key, onpointerenter: () => light(one.key), onpointerleave: () => light(null) },
    box, swatch(one.supervision), element("span", { class: "name" }, one.name, " ", partMark(one.part)), element("span", {}, value));
}

function light(key) {
  for (const node of document.querySelectorAll("#figure [data-key]")) {
    node.classList.toggle("lit", node.dataset.key === key);
  }
}

function nearest(event) {
  const { svg, layout, series } = figureDrawn;
  const box = svg.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let found = null;
  for (const one of series) {
    for (const each of one.points) {
      const distance = Math.hypot(layout.x(each.place) + layout.shift(one) - x, layout.y(each.score) - y);
      if (distance < 28 && (!found || distance < found.distance)) found = { one, point: each, distance };
    }
  }
  return found;
}

function step(event) {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key === "Escape") readAt(null);
  if (!(event.key in moves)) return;
  event.preventDefault();
  const [across, down] = moves[event.key];
  const here = figureDrawn.at;
  const place = here ? here.point.place + across : 0;
  const column = figureDrawn.series
    .flatMap((one) => one.points.filter((each) => each.place === place).map((each) => ({ one, point: each })))
    .sort((a, b) => b.point.score - a.point.score);
  if (!column.length) return;
  const index = here ? column.findIndex((each) => each.one === here.one) : 0;
  readAt(column[Math.min(Math.max(index + down, 0), column.length - 1)]);
}

// Shows what stands at a point: beside it for eyes, below the figure for screen readers and paper.
function readAt(found) {
  if (!figureDrawn) return;
  const { svg, layout, tip } = figureDrawn;
  figureDrawn.at = found;
  light(found ? found.one.key : null);
  const ring = svg.querySelector(".at");
  tip.hidden = !found;
  ring.setAttribute("visibility", found ? "visible" : "hidden");
  if (!found) return;
  const { one, point: each } = found;
  const [x, y] = [layout.x(each.place) + layout.shift(one), layout.y(each.score)];
  ring.setAttribute("cx", x);
  ring.setAttribute("cy", y);
  const { places } = seriesOf(figureState);
  const levels = [each.blind === null ? null : `blind ${points(each.blind)}, vision gain ${signed(each.score - each.blind)}`,
    each.chance === null ? null : `chance ${points(each.chance)}`, each.part ? `part: ${each.part}` : null,
    each.line.seeds.length ? `seeds ${each.line.seeds.join(", ")}` : "published"].filter(Boolean);
  const score = `${places[each.place]}: ${points(each.score)} ${range(each.low, each.high)}`.trim();
  tip.replaceChildren(element("b", {}, one.name), element("br"), score, ...levels.flatMap((text) => [element("br"), text]));
  byId("figure-readout").textContent = [`${one.name}, ${score}`, ...levels].join("; ");
  const left = x + 14 + tip.offsetWidth > layout.width ? x - 14 - tip.offsetWidth : x + 14;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, Math.min(y - tip.offsetHeight / 2, PLOT.height - tip.offsetHeight - 4))}px`;
}
