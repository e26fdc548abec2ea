// What all parts of the page use: the data, elements, numbers as text, and the marks of supervision.
const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const CATEGORIES = Object.keys(data.figure.categories);
const LOOKS = data.figure.looks;
const collator = new Intl.Collator("en", { numeric: true });

function byId(id) {
  return document.getElementById(id);
}

// Elements get attributes and text, never markup: nothing that a model said is read as HTML.
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

function element(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function drawn(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function points(value) {
  return value === null || value === undefined ? "–" : value.toFixed(1).replace("-0.0", "0.0").replace("-", "−");
}

function signed(value) {
  return value === null || value === undefined ? "–" : (value > 0.05 ? "+" : "") + points(value);
}

function range(low, high) {
  return low === null || low === undefined ? "" : `[${points(low)}, ${points(high)}]`;
}

function count(value) {
  return value.toLocaleString("en");
}

function several(value, word) {
  return `${count(value)} ${word}${value === 1 ? "" : "s"}`;
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function unique(values) {
  return [...new Set(values)];
}

// Data sizes such as 0.5M and 737k come in the order of their sizes, other choices in that of their names.
function inOrder(values) {
  const size = (text) => {
    const found = /^([\d.]+)([kKmM])\b/.exec(text);
    return found ? Number(found[1]) * (found[2].toLowerCase() === "m" ? 1e6 : 1e3) : NaN;
  };
  const compare = (a, b) => (size(a) - size(b)) || collator.compare(a, b);
  return unique(values).sort((a, b) => (a === "0M" ? -1 : b === "0M" ? 1 : compare(a, b)));
}

function selection(label, options, chosen, change, id) {
  const select = element("select", { id, onchange: () => change(select.value) });
  for (const option of options) {
    const [value, text] = Array.isArray(option) ? option : [option, option];
    select.append(element("option", { value, selected: value === chosen }, text));
  }
  return element("label", {}, label, select);
}

// The mark of a supervision around (x, y): the second cue beside its colour, as in the printed figures.
function markPath(supervision, x, y, r) {
  const shapes = {
    language: `M${x - r},${y}a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0z`,
    self: `M${x - r * 0.9},${y - r * 0.9}h${r * 1.8}v${r * 1.8}h${-r * 1.8}z`,
    other: `M${x},${y - r * 1.15}L${x + r * 1.1},${y + r * 0.9}H${x - r * 1.1}z`,
    mixed: `M${x - r * 0.4},${y - r * 1.2}h${r * 0.8}v${r * 0.8}h${r * 0.8}v${r * 0.8}h${-r * 0.8}v${r * 0.8}h${-r * 0.8}v${-r * 0.8}h${-r * 0.8}v${-r * 0.8}h${r * 0.8}z`,
    control: `M${x},${y - r * 1.2}L${x + r * 1.1},${y}L${x},${y + r * 1.2}L${x - r * 1.1},${y}z`,
  };
  return shapes[supervision];
}

function swatch(supervision) {
  return drawn("svg", { width: 30, height: 12, viewBox: "0 0 30 12", "aria-hidden": "true", class: supervision },
    drawn("path", { d: "M1,6H29", class: "swatch", "stroke-dasharray": LOOKS[supervision].dashes || null }),
    drawn("path", { d: markPath(supervision, 15, 6, 3.6), class: "mark" }));
}

function partMark(text) {
  return text ? element("abbr", { class: "part", title: text }, "part") : null;
}
