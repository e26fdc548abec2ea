// The table of all results: by benchmark, or by category with seeds together; sorted by any column, filtered by words.
const PAGE = 100;
const tableState = { view: "category", words: "", category: "", benchmark: "", supervision: "", sort: "score", down: true, rows: PAGE };

function benchmarkRows() {
  const { scores, runs } = data;
  return scores.run.map((place, index) => {
    const { name, category } = scores.benchmarks[scores.benchmark[index]];
    const [n, total, unanswered] = [scores.n[index], scores.total[index], scores.unanswered[index]];
    const parts = [total > n ? `${count(n)} of ${count(total)} questions` : "",
      unanswered ? `${count(unanswered)} questions had no picture that could be shown, and count as wrong` : ""];
    return { name: runs[place].label, supervision: runs[place].supervision, benchmark: name, category,
      score: scores.score[index], low: scores.low[index], high: scores.high[index], blind: scores.blind[index],
      chance: scores.chance[index], majority: scores.majority[index], gain: scores.blind[index] === null ? null : scores.score[index] - scores.blind[index],
      unparsed: scores.unparsed[index], n, digest: scores.digest[index], part: parts.filter(Boolean).join("; ") };
  });
}

function categoryRows() {
  return data.figure.sources.filter((source) => source.key.startsWith("own ")).flatMap((source) => source.lines.map((line) => ({
    name: line.label.replace(" (partial)", ""), supervision: line.supervision, seeds: line.seeds.join(", "),
    score: line.average && line.average[0], low: line.average && line.average[1], high: line.average && line.average[2],
    gain: line.gain, part: unique(Object.values(line.points).map((point) => point[5]).filter(Boolean)).join("; "), points: line.points,
    scale: line.scale, ...Object.fromEntries(CATEGORIES.map((category) => [category, line.points[category] ? line.points[category][0] : null])),
  })));
}

const modelColumn = { key: "name", title: "Model", show: (row) =>
  element("span", { class: `model ${row.supervision}` }, swatch(row.supervision), element("span", {}, row.name, " ", partMark(row.part))) };

function number(key, title, show) {
  return { key, title, numeric: true, show: show || ((row) => points(row[key])) };
}

function withRange(value, low, high) {
  return value === null ? "–" : element("span", {}, points(value), " ", element("span", { class: "range" }, range(low, high)));
}

const COLUMNS = {
  benchmark: [modelColumn, { key: "benchmark", title: "Benchmark", show: (row) => row.benchmark },
    number("score", "Score, 95 %", (row) => withRange(row.score, row.low, row.high)),
    { key: "score", title: "0 to 100", plain: true, show: (row) => strip(row) },
    number("blind", "Blind"), number("chance", "Chance"), number("majority", "Majority"), number("gain", "Vision gain", (row) => signed(row.gain)),
    number("unparsed", "Unparsed", (row) => `${points(row.unparsed)} %`), number("n", "Questions", (row) => count(row.n)),
    { key: "digest", title: "Evaluation", show: (row) => element("code", { title: row.digest }, row.digest.slice(0, 10)) }],
  category: [modelColumn, { key: "seeds", title: "Seeds", show: (row) => row.seeds },
    number("score", "Average, 95 %", (row) => withRange(row.score, row.low, row.high)),
    ...CATEGORIES.map((category) => number(category, data.figure.categories[category], (row) =>
      (row.points[category] ? withRange(...row.points[category].slice(0, 3)) : "–"))),
    number("gain", "Vision gain", (row) => signed(row.gain))],
};

// A score on the scale from 0 to 100: interval and mark, with the levels of chance (dotted) and of no image (open).
function strip(row) {
  const x = (value) => 2 + 1.16 * value;
  return drawn("svg", { width: 120, height: 14, viewBox: "0 0 120 14", class: row.supervision, "aria-hidden": "true" },
    drawn("path", { class: "grid", d: `M2,7H118` }),
    drawn("path", { class: "chance", d: `M${x(row.chance)},2V12` }),
    row.blind === null ? null : drawn("path", { class: "blind-mean", d: `M${x(row.blind)},3V11` }),
    drawn("path", { class: "swatch", d: `M${x(row.low)},7H${x(row.high)}` }),
    drawn("path", { class: "mark", d: markPath(row.supervision, x(row.score), 7, 3.4) }));
}

function startTable() {
  const benchmarks = data.scores.benchmarks.map((each) => each.name);
  const set = (name) => (value) => {
    tableState[name] = value;
    tableState.rows = PAGE;
    if (name === "view") startTable();
    showTable();
  };
  const search = element("input", { type: "search", id: "results-words", value: tableState.words, placeholder: "such as siglip sva" });
  search.addEventListener("input", () => set("words")(search.value));
  const controls = [
    selection("Rows", [["category", "categories, seeds together"], ["benchmark", "benchmarks"]], tableState.view, set("view"), "results-view"),
    element("label", {}, "Words", search),
    selection("Supervision", [["", "all"], ...Object.entries(LOOKS).map(([key, look]) => [key, look.name])], tableState.supervision, set("supervision"), "results-supervision"),
  ];
  if (tableState.view === "benchmark") {
    controls.push(selection("Category", [["", "all"], ...Object.entries(data.figure.categories)], tableState.category, set("category"), "results-category"),
      selection("Benchmark", [["", "all"], ...benchmarks], tableState.benchmark, set("benchmark"), "results-benchmark"));
  }
  byId("results-controls").replaceChildren(...controls);
  byId("results-more").onclick = () => {
    tableState.rows += PAGE;
    showTable();
  };
}

function chosenRows() {
  const { view, words, category, benchmark, supervision } = tableState;
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return (view === "benchmark" ? benchmarkRows() : categoryRows()).filter((row) => {
    const text = `${row.name} ${row.benchmark || ""} ${row.scale || ""} ${row.digest || ""}`.toLowerCase();
    return wanted.every((word) => text.includes(word)) && (!supervision || row.supervision === supervision)
      && (view === "category" || ((!category || row.category === category) && (!benchmark || row.benchmark === benchmark)));
  });
}

// Numbers by size with gaps last, names as people order them; equal rows stay in the order of the models.
function sorted(rows) {
  const { sort, down } = tableState;
  const sign = down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [a[sort] ?? null, b[sort] ?? null];
    if (left === null || right === null) return (left === null) - (right === null);
    return sign * (typeof left === "number" ? left - right : collator.compare(left, right));
  });
}

function showTable() {
  const columns = COLUMNS[tableState.view];
  if (!columns.some((column) => column.key === tableState.sort)) Object.assign(tableState, { sort: "score", down: true });
  const rows = sorted(chosenRows());
  const shown = rows.slice(0, tableState.rows);
  const body = shown.map((row) => element("tr", {}, columns.map((column, index) =>
    element(index ? "td" : "th", { class: column.numeric ? "n" : null, scope: index ? null : "row" }, column.show(row)))));
  byId("results-table").replaceChildren(element("thead", {}, element("tr", {}, columns.map(header))), element("tbody", {}, body));
  byId("results-count").textContent = `${several(rows.length, "row")}${shown.length < rows.length ? `, the first ${shown.length} shown` : ""}`;
  byId("results-more").hidden = shown.length === rows.length;
  byId("results-more").textContent = `show ${Math.min(PAGE, rows.length - shown.length)} more`;
}

function header(column) {
  if (column.plain) return element("th", { scope: "col" }, column.title);
  const active = tableState.sort === column.key;
  const button = element("button", { type: "button", onclick: () => {
    const numeric = Boolean(column.numeric);
    tableState.down = active ? !tableState.down : numeric;
    tableState.sort = column.key;
    showTable();
    byId("results-table").querySelector("[aria-sort] button").focus();
  } }, `${column.title}${active ? (tableState.down ? " ↓" : " ↑") : ""}`);
  return element("th", { scope: "col", class: column.numeric ? "n" : null, "aria-sort": active ? (tableState.down ? "descending" : "ascending") : null }, button);
}
