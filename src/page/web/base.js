// What all parts of the page are made with. Texts of the data become text nodes, never markup.

const page = JSON.parse(document.getElementById("data").textContent);

function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
        if (typeof value === "function") element.addEventListener(name, value);
        else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
}
const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// A paragraph; what stands between backquotes is code. Nothing where there is no text.
function prose(text, attributes) {
    if (!text) return null;
    return make("p", attributes, text.split("`").map((piece, i) => (i % 2 ? make("code", null, piece) : piece)));
}

let lastId = 0;
const newId = (prefix) => `${prefix}-${++lastId}`;

// ---- numbers: what is not finite arrives as "nan", "inf", "-inf", a text as a list of one

const finite = (value) => typeof value === "number";
// Not Math.min(...values): there may be more values than a call takes.
const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);

function format(value, digits = 4) {
    if (Array.isArray(value)) return value[0];
    if (!finite(value)) return { inf: "∞", "-inf": "-∞" }[value] || "–";
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
        const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
        return `${Number(mantissa)}e${Number(exponent)}`;
    }
    if (Number.isInteger(value)) return String(value);
    return String(Number(value.toPrecision(digits)));
}

// ---- colours as the style sheet has them now

function theme() {
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    return {
        ink: color("ink"), soft: color("soft"), line: color("line"), paper: color("paper"),
        series: [1, 2, 3, 4, 5, 6, 7, 8].map((i) => color(`s${i}`)),
    };
}
const seriesColor = (i) => `var(--s${(i % 8) + 1})`;

// ---- charts are drawn anew when the colours change, and in light colours on paper

const charts = [];

// build(theme) returns a Chart; the object returned holds it as `now`.
function keepChart(build) {
    const kept = {
        now: null,
        redraw() {
            if (this.now) this.now.destroy();
            this.now = build(theme());
        },
    };
    charts.push(kept);
    return kept;
}
const redrawAll = () => charts.forEach((chart) => chart.redraw());

function forPaper(on) {
    document.documentElement.toggleAttribute("data-print", on);
    redrawAll();
}
addEventListener("beforeprint", () => forPaper(true));
addEventListener("afterprint", () => forPaper(false));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
