// Two models held against each other: the paired difference on everything both were asked, then single questions.
const pairState = { a: 0, b: 1, sample: "", filter: "credit", enlarged: "" };
const unpacked = new Map();

// The half of a symmetric matrix above its diagonal, row by row, as whole numbers of 16 bits.
function pairValue(text, size, first, second) {
  if (!text) return null;
  if (!unpacked.has(text)) unpacked.set(text, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
  const [i, j] = first < second ? [first, second] : [second, first];
  const index = 2 * (i * size - (i * (i + 1)) / 2 + j - i - 1);
  const bytes = unpacked.get(text);
  return bytes[index] + 256 * bytes[index + 1];
}

function pairRows() {
  return data.comparisons.flatMap((one) => {
    const [i, j] = [one.runs.indexOf(pairState.a), one.runs.indexOf(pairState.b)];
    if (i < 0 || j < 0 || i === j) return [];
    const difference = one.scores[i] - one.scores[j];
    const reach = pairValue(one.reaches, one.runs.length, i, j) / 100;
    return [{ ...one, a: one.scores[i], b: one.scores[j], difference, differing: pairValue(one.differing, one.runs.length, i, j),
      low: difference - reach, high: difference + reach }];
  });
}

// Begins with the two models that score highest on the widest comparison.
function startPairs() {
  const widest = data.comparisons[0];
  if (!widest || widest.runs.length < 2) {
    byId("pairs-table").replaceChildren(element("p", { class: "note" }, "There are no two models that answered the same questions."));
    return;
  }
  const order = widest.runs.map((_, index) => index).sort((i, j) => widest.scores[j] - widest.scores[i]);
  pairState.a = widest.runs[order[0]];
  pairState.b = widest.runs[order[1]];
  showPairControls();
  showPairs();
}

function showPairControls() {
  const options = data.runs.map((run, place) => [String(place), run.label]);
  const set = (name) => (value) => {
    pairState[name] = Number(value);
    showPairs();
  };
  const swap = element("button", { type: "button", id: "pairs-swap", onclick: () => {
    [pairState.a, pairState.b] = [pairState.b, pairState.a];
    showPairControls();
    showPairs();
    byId("pairs-swap").focus();
  } }, "swap");
  byId("pairs-controls").replaceChildren(selection("A", options, String(pairState.a), set("a"), "pairs-a"),
    selection("B", options, String(pairState.b), set("b"), "pairs-b"), swap);
}

function showPairs() {
  const rows = pairRows();
  if (!rows.length) {
    const why = pairState.a === pairState.b ? "A and B are the same model." : "The two were not asked the same questions.";
    byId("pairs-table").replaceChildren(element("p", { class: "note" }, why));
    byId("pairs-questions").replaceChildren();
    return;
  }
  const names = data.samples.map((sample) => sample.benchmark).filter((name) => rows.some((row) => row.name === name));
  if (!names.includes(pairState.sample)) {
    const most = (name) => shownQuestions(sampleOf(name)).length;
    pairState.sample = names.reduce((best, name) => (most(name) > most(best) ? name : best), names[0] || "");
  }
  const reach = Math.max(...rows.flatMap((row) => [Math.abs(row.low), Math.abs(row.high)]), 1);
  const titles = ["Benchmark", "A", "B", "A − B, 95 %", "← B better · A better →", "Graded differently", ""];
  const head = titles.map((title, index) => element("th", { scope: "col", class: [1, 2, 3, 5].includes(index) ? "n" : null }, title));
  byId("pairs-table").replaceChildren(element("table", { class: "data" },
    element("thead", {}, element("tr", {}, head)), element("tbody", {}, rows.map((row) => pairRow(row, reach, names)))));
  showQuestions();
}

function pairRow(row, reach, names) {
  const shown = names.includes(row.name);
  const button = shown ? element("button", { type: "button", "aria-pressed": String(row.name === pairState.sample), "data-sample": row.name,
    onclick: () => {
      pairState.sample = row.name;
      showPairs();
      document.querySelector("#pairs-table [aria-pressed=true]").focus();
    } }, "questions") : "";
  const differing = row.differing === null ? "" : `${count(row.differing)} of ${count(row.units)}`;
  const cells = [[points(row.a), "n"], [points(row.b), "n"], [element("span", {}, signed(row.difference), " ",
    element("span", { class: "range" }, range(row.low, row.high))), "n"], [differenceStrip(row, reach), null], [differing, "n"], [button, "n"]];
  return element("tr", { class: row.units ? null : "mean" }, element("th", { scope: "row" }, row.name),
    cells.map(([content, kind]) => element("td", { class: kind }, content)));
}

// The difference around zero; filled where the interval excludes zero.
function differenceStrip(row, reach) {
  const x = (value) => 90 + (82 * value) / reach;
  const clear = row.low > 0 || row.high < 0;
  return drawn("svg", { width: 180, height: 14, viewBox: "0 0 180 14", "aria-hidden": "true" },
    drawn("path", { class: "column", d: "M90,0V14" }),
    drawn("path", { class: "reach", d: `M${x(row.low)},7H${x(row.high)}` }),
    drawn("circle", { class: clear ? "clear" : "open", cx: x(row.difference), cy: 7, r: 3.6 }));
}

function sampleOf(name) {
  return data.samples.find((sample) => sample.benchmark === name && sample.runs.includes(pairState.a) && sample.runs.includes(pairState.b));
}

function shownQuestions(sample) {
  if (!sample) return [];
  const [i, j] = [sample.runs.indexOf(pairState.a), sample.runs.indexOf(pairState.b)];
  const differs = { credit: (one) => one.credits[i] !== one.credits[j], text: (one) => one.sighted[i] !== one.sighted[j], all: () => true };
  return sample.questions.filter(differs[pairState.filter]);
}

function showQuestions() {
  const sample = sampleOf(pairState.sample);
  if (!sample) {
    byId("pairs-questions").replaceChildren();
    return;
  }
  const found = shownQuestions(sample);
  const filter = selection("Questions", [["credit", "graded differently"], ["text", "answered differently"], ["all", "all of the sample"]],
    pairState.filter, (value) => {
      pairState.filter = value;
      showQuestions();
      byId("pairs-filter").focus();
    }, "pairs-filter");
  const note = `${found.length} of the ${several(sample.questions.length, "question")} of ${sample.benchmark} in this file. They are those on `
    + "which all models of the report differ most, so they illustrate; the numbers above are of all questions.";
  byId("pairs-questions").replaceChildren(element("h3", { id: "pairs-title" }, sample.benchmark),
    element("div", { class: "controls" }, filter), element("p", { class: "note", id: "pairs-note" }, note),
    element("div", { class: "cards" }, found.map((one) => card(one, sample))));
}

function card(one, sample) {
  const accepted = `accepted: ${one.accepted.join(" | ")}`;
  const options = one.options.length ? `options: ${one.options.join(" | ")}` : null;
  const says = ["a", "b"].map((side) => {
    const index = sample.runs.indexOf(pairState[side]);
    const credit = one.credits[index];
    const verdict = credit === 1 ? "✓ 1" : credit === 0 ? "✗ 0" : String(credit);
    return element("tr", {}, element("th", { scope: "row", title: data.runs[pairState[side]].label }, side.toUpperCase()),
      element("td", { class: credit === 1 ? "right" : credit === 0 ? "wrong" : null }, verdict),
      answer(one.texts[one.sighted[index]], "raw"), one.blind[index] === null ? element("td", { class: "empty" }, "not asked") : answer(one.texts[one.blind[index]], "raw without"));
  });
  return element("article", { class: "card" }, picture(one),
    element("div", {}, element("p", { class: "prompt" }, one.prompt), options ? element("p", { class: "accepted" }, options) : null,
      element("p", { class: "accepted" }, accepted)),
    element("table", {}, element("colgroup", {}, element("col", { class: "who" }), element("col", { class: "credit" }), element("col"), element("col")),
      element("thead", {}, element("tr", {}, ["", "credit", "with the image", "without"].map((text) => element("th", { scope: "col" }, text)))),
      element("tbody", {}, says)),
    element("p", { class: "id" }, [one.part, one.id].filter(Boolean).join(" · ")));
}

function answer(text, kind) {
  return text === "" ? element("td", { class: "empty" }, "nothing") : element("td", { class: kind }, text);
}

function picture(one) {
  const url = data.pictures[one.image];
  if (!url) return element("div", { class: "absent" }, data.reasons[data.lacking[one.image]]);
  const image = element("img", { src: url, alt: `picture of the question: ${one.prompt}`, loading: "lazy" });
  return element("button", { type: "button", class: "zoom", "aria-label": "enlarge the picture", onclick: () => image.classList.toggle("large") }, image);
}
