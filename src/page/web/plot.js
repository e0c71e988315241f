// Series over an axis: lines with bands, dots with error bars, strips of points, rings, guides.

const marks = ["circle", "rect", "triangle", "rectRot", "star", "crossRot", "rectRounded", "cross"];
const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3]];
const isStroke = (mark) => ["star", "crossRot", "cross"].includes(mark);
const isLine = (series) => series.style === "line" || series.style === "guide";

// Chart.js never comes to an end with ranges near the ends of what a number can be.
const drawable = (value) => finite(value) && Math.abs(value) < 1e300 && (value === 0 || Math.abs(value) > 1e-300);

// [{x, y, low, high, k}] of what can be drawn; null parts a line where a figure is not known.
function pointsOf(series, log) {
    const usable = (value, scale) => drawable(value) && (!scale || value > 0);
    return series.y.map((y, k) => {
        const x = series.x ? series.x[k] : k;
        if (!usable(x, log.x) || !usable(y, log.y)) return isLine(series) ? { x: finite(x) ? x : k, y: NaN, k } : null;
        const low = series.low && series.low[k], high = series.high && series.high[k];
        return { x, y, k, low: drawable(low) ? low : null, high: drawable(high) ? high : null };
    }).filter((point) => point !== null);
}

function wantsLog(scale, values) {
    if (scale !== "auto") return scale === "log";
    const known = values.filter(finite);
    return known.length > 0 && least(known) > 0 && most(known) / least(known) > 10;
}

// Points of one x beside each other, the same way each time.
const beside = (k) => (((k * 0.618034) % 1) - 0.5) * 0.5;

// ---- axes

function logTicks(axis) {
    const low = Math.log10(axis.min), high = Math.log10(axis.max);
    const mantissas = high - low < 1.2 ? [1, 2, 3, 5, 7] : high - low < 2.2 ? [1, 3] : [1];
    const step = Math.max(1, Math.ceil((high - low) / 8));
    const ticks = [];
    for (let e = Math.floor(low); e <= high; e++)
        for (const m of mantissas)
            if (e % step === 0 && m * 10 ** e >= axis.min * 0.999 && m * 10 ** e <= axis.max * 1.001)
                ticks.push({ value: Number(`${m}e${e}`) });
    if (ticks.length > 1) axis.ticks = ticks; // else those of a small part of a decade, as they came
}

// Digits enough to tell neighbours apart.
function tickText(value, i, ticks) {
    const step = ticks.length > 1 ? Math.abs(ticks[1].value - ticks[0].value) : 0;
    const digits = step > 0 && value !== 0 ? Math.ceil(Math.log10(Math.abs(value) / step)) + 1 : 3;
    return format(value, Math.max(3, Math.min(digits, 12)));
}

function axisFor(title, log, values, colors) {
    const known = values.filter((v) => finite(v) && (!log || v > 0));
    const low = least(known), high = most(known);
    const axis = {
        type: log ? "logarithmic" : "linear",
        title: { display: Boolean(title), text: title || "", color: colors.ink },
        grid: { color: colors.line, borderColor: colors.soft },
        ticks: { color: colors.soft, callback: tickText },
    };
    if (log) {
        const room = Math.max((high / low) ** 0.04, 1.05);
        Object.assign(axis, { min: low / room, max: high * room, afterBuildTicks: logTicks });
    } else {
        const room = (high - low || Math.abs(high) || 1) * 0.04;
        Object.assign(axis, { min: low >= 0 ? Math.max(low - room, 0) : low - room, max: high + room });
        axis.ticks.includeBounds = false;
    }
    return axis;
}

function labelAxis(axis, labels) {
    return Object.assign(axis, {
        type: "linear", min: -0.5, max: labels.length - 0.5,
        grid: { ...axis.grid, display: false },
        ticks: {
            ...axis.ticks, stepSize: 1, maxRotation: 90, autoSkip: true, autoSkipPadding: 4,
            callback: (value) => (Number.isInteger(value) && labels[value] !== undefined ? short(labels[value], 14) : ""),
        },
        afterBuildTicks: (scale) => { scale.ticks = labels.map((_, value) => ({ value })); },
    });
}
const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

// ---- bands and error bars: Chart.js has none

function drawBand(context, points, scales, color) {
    const y = (value) => scales.y.getPixelForValue(scales.y.type === "logarithmic" ? Math.max(value, scales.y.min) : value);
    let run = [];
    const close = () => {
        if (run.length > 1) {
            context.beginPath();
            run.forEach((p, i) => context[i ? "lineTo" : "moveTo"](scales.x.getPixelForValue(p.x), y(p.high)));
            run.reverse().forEach((p) => context.lineTo(scales.x.getPixelForValue(p.x), y(p.low)));
            context.fill();
        }
        run = [];
    };
    context.fillStyle = color;
    context.globalAlpha = 0.18;
    for (const p of points) {
        if (p.low === null || p.low === undefined || p.high === null) close();
        else run.push(p);
    }
    close();
    context.globalAlpha = 1;
}

function drawBars(context, points, scales, color) {
    context.strokeStyle = color;
    context.lineWidth = 1.5;
    for (const p of points) {
        if (p.low === null || p.high === null) continue;
        const x = scales.x.getPixelForValue(p.x), high = scales.y.getPixelForValue(p.high);
        const low = scales.y.getPixelForValue(scales.y.type === "logarithmic" ? Math.max(p.low, scales.y.min) : p.low);
        context.beginPath();
        context.moveTo(x, low);
        context.lineTo(x, high);
        for (const end of [low, high]) {
            context.moveTo(x - 3, end);
            context.lineTo(x + 3, end);
        }
        context.stroke();
    }
}

// The mean of the points at each x.
function drawMeans(context, points, scales, color) {
    const groups = new Map();
    points.forEach((p) => groups.set(p.group, [...(groups.get(p.group) || []), p]));
    context.strokeStyle = color;
    context.lineWidth = 2.5;
    for (const [x, group] of groups) {
        const middle = scales.y.getPixelForValue(group.reduce((sum, p) => sum + p.y, 0) / group.length);
        const reach = Math.abs(scales.x.getPixelForValue(x + 0.3) - scales.x.getPixelForValue(x));
        context.beginPath();
        context.moveTo(scales.x.getPixelForValue(x) - reach, middle);
        context.lineTo(scales.x.getPixelForValue(x) + reach, middle);
        context.stroke();
    }
}

function onDatasets(chart, what, styles) {
    const { ctx, chartArea: area } = chart;
    ctx.save();
    ctx.beginPath();
    ctx.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
    ctx.clip();
    chart.data.datasets.forEach((set, i) => {
        if (styles.includes(set.style) && chart.isDatasetVisible(i)) what(ctx, set.data, chart.scales, set.borderColor);
    });
    ctx.restore();
}
const spreads = {
    id: "spreads",
    beforeDatasetsDraw: (chart) => onDatasets(chart, drawBand, ["line"]),
    afterDatasetsDraw: (chart) => {
        onDatasets(chart, drawBars, ["dots"]);
        onDatasets(chart, drawMeans, ["strip"]);
    },
};

// ---- one chart

function datasetOf(series, i, log, colors) {
    const color = series.style === "guide" ? colors.soft : colors.series[i % 8];
    const points = pointsOf(series, log);
    const many = points.length > 40;
    const set = {
        style: series.style, label: series.name, data: points, borderColor: color, backgroundColor: color,
        pointStyle: marks[i % marks.length], showLine: isLine(series), borderWidth: 2, pointRadius: many ? 3 : 4,
        pointHoverRadius: 6, spanGaps: false,
    };
    if (isStroke(set.pointStyle)) Object.assign(set, { pointRadius: 5, pointBorderWidth: set.pointStyle === "star" ? 1.4 : 2 });
    if (series.style === "line")
        Object.assign(set, { borderDash: dashes[i % 4], pointRadius: points.length === 1 ? 4 : 0 });
    if (series.style === "guide") Object.assign(set, { borderDash: [3, 3], borderWidth: 1.5, pointRadius: 0, pointHoverRadius: 0 });
    if (series.style === "rings")
        Object.assign(set, { pointStyle: "circle", backgroundColor: "transparent", pointBorderWidth: 2.5, pointRadius: 9, pointHoverRadius: 10 });
    if (series.style === "strip") {
        set.data = points.map((p, k) => ({ ...p, group: p.x, x: p.x + beside(k) }));
        Object.assign(set, { pointRadius: 3.5, backgroundColor: `${color}99`, borderWidth: 1 });
    }
    return set;
}

function tellPoint(part, item) {
    const p = item.raw, range = finite(p.low) && finite(p.high) ? ` (${format(p.low)} to ${format(p.high)})` : "";
    return `${item.dataset.label}: ${format(p.y)}${range}`;
}
function tellPlace(part, raw) {
    const x = raw.group === undefined ? raw.x : raw.group;
    return part.labels ? part.labels[x] : `${part.x_title || "x"} ${format(x)}`;
}

function logOf(part) {
    const of = (key) => part.series.flatMap((s) => s[key] || []);
    return { x: !part.labels && wantsLog(part.x_scale, of("x")), y: wantsLog(part.y_scale, of("y")) };
}

function newChart(canvas, part, colors, hidden) {
    const log = logOf(part);
    const datasets = part.series.map((s, i) => datasetOf(s, i, log, colors));
    const shown = datasets.flatMap((set) => set.data).filter((p) => finite(p.y) && !Number.isNaN(p.y));
    const ys = shown.flatMap((p) => [p.y, ...(log.y && p.low < p.y / 10 ? [p.y / 10] : [p.low]), p.high]);
    const x = axisFor(part.x_title, log.x, shown.map((p) => p.x), colors);
    datasets.forEach((set, i) => { set.hidden = hidden.has(i); });
    return new Chart(canvas, {
        type: "line",
        data: { datasets },
        plugins: [spreads],
        options: {
            animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true,
            interaction: { mode: part.labels ? "x" : "nearest", axis: "x", intersect: false },
            scales: { x: part.labels ? labelAxis(x, part.labels) : x, y: axisFor(part.y_title, log.y, ys, colors) },
            plugins: {
                legend: { display: false },
                tooltip: {
                    filter: (item) => item.dataset.style !== "guide" && finite(item.raw.y) && !Number.isNaN(item.raw.y),
                    callbacks: {
                        title: (items) => (items.length ? tellPlace(part, items[0].raw) : ""),
                        label: (item) => tellPoint(part, item),
                    },
                },
            },
        },
    });
}

// Arrow keys go from one x to the next; what stands there is shown and spoken.
function walkable(canvas, kept, part, spoken) {
    let at = -1;
    canvas.addEventListener("keydown", (event) => {
        const chart = kept.now;
        const sets = chart.data.datasets.map((set, i) => ({ set, i })).filter(({ set, i }) =>
            set.style !== "guide" && chart.isDatasetVisible(i));
        const known = (p) => !Number.isNaN(p.y);
        const places = [...new Set(sets.flatMap(({ set }) => set.data.filter(known).map((p) => p.x)))].sort((a, b) => a - b);
        const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: places.length - 1 }[event.key];
        if (to === undefined || places.length === 0) return;
        event.preventDefault();
        at = Math.max(0, Math.min(places.length - 1, to));
        const active = sets.flatMap(({ set, i }) =>
            set.data.flatMap((p, index) => (known(p) && p.x === places[at] ? [{ datasetIndex: i, index }] : [])));
        const raw = (a) => chart.data.datasets[a.datasetIndex].data[a.index];
        chart.setActiveElements(active);
        chart.tooltip.setActiveElements(active, { x: 0, y: 0 });
        chart.update("none");
        spoken.textContent = [tellPlace(part, raw(active[0])), ...active.map((a) =>
            tellPoint(part, { raw: raw(a), dataset: chart.data.datasets[a.datasetIndex] }))].join("; ");
    });
}

// ---- legend: buttons that show and hide

function swatch(series, i) {
    const color = series.style === "guide" ? "var(--soft)" : seriesColor(i);
    const line = draw("line", { x1: 1, x2: 27, y1: 7, y2: 7, "stroke-width": 2.2,
        "stroke-dasharray": (series.style === "guide" ? [3, 3] : dashes[i % 4]).join(" ") });
    const shapes = {
        circle: draw("circle", { cx: 14, cy: 7, r: 4 }), rect: draw("rect", { x: 10, y: 3, width: 8, height: 8 }),
        triangle: draw("path", { d: "M14 2l5 9h-10z" }), rectRot: draw("path", { d: "M14 2l5 5-5 5-5-5z" }),
        star: draw("path", { d: "M9 7h10M14 2v10M10.5 3.5l7 7M10.5 10.5l7-7", "stroke-width": 1.4 }),
        crossRot: draw("path", { d: "M10 3l8 8M18 3l-8 8", "stroke-width": 2 }),
        rectRounded: draw("rect", { x: 10, y: 3, width: 8, height: 8, rx: 2.5 }),
        cross: draw("path", { d: "M9 7h10M14 2v10", "stroke-width": 2 }),
    };
    const mark = series.style === "rings" ? draw("circle", { cx: 14, cy: 7, r: 5.5, fill: "none", "stroke-width": 2.5 })
        : shapes[marks[i % marks.length]];
    const picture = draw("svg", { width: 28, height: 14, "aria-hidden": "true" }, isLine(series) ? line : mark);
    picture.style.stroke = color;
    picture.style.fill = series.style === "rings" ? "none" : color;
    return picture;
}

function legend(part, hidden, kept) {
    return make("div", { class: "legend" }, part.series.map((series, i) => {
        const button = make("button", { type: "button", "aria-pressed": "true", title: "show or hide",
            click: () => {
                if (!hidden.delete(i)) hidden.add(i);
                button.setAttribute("aria-pressed", String(!hidden.has(i)));
                kept.now.setDatasetVisibility(i, !hidden.has(i));
                kept.now.update("none");
            } }, swatch(series, i), series.name);
        return button;
    }));
}

// ---- the part of the page

function rowsOfPlot(part) {
    const ends = (s) => (s.low ? ["low", "high"] : []);
    const isList = part.series.every((s) => s.style !== "strip" && !s.x);
    if (part.labels && isList)
        return {
            columns: [part.x_title || "", ...part.series.flatMap((s) => [s.name, ...ends(s)])],
            rows: part.labels.map((label, k) => [[label], ...part.series.flatMap((s) =>
                [s.y, ...ends(s).map((end) => s[end])].map((values) => (values[k] === undefined ? "nan" : values[k])))]),
        };
    const spread = part.series.some((s) => s.low);
    return {
        columns: ["series", part.x_title || "x", part.y_title || "y", ...(spread ? ["low", "high"] : [])],
        rows: part.series.flatMap((s) => s.y.map((y, k) => {
            const x = s.x ? s.x[k] : k;
            return [[s.name], part.labels ? [part.labels[x] || String(x)] : x, y,
                ...(spread ? [s.low ? s.low[k] : "nan", s.high ? s.high[k] : "nan"] : [])];
        })),
    };
}

function plotPart(part) {
    part.series.forEach((s, i) => { if (s.x === "same") s.x = part.series[i - 1].x; });
    const all = { ...part }, numbers = () => rowsOfPlot(all);
    const log = logOf(part);
    part.series = part.series.filter((s) => pointsOf(s, log).some((p) => !Number.isNaN(p.y)));
    // A guide alone is nothing to look at.
    if (!part.series.some((s) => s.style !== "guide")) return frame(part, emptyPlot(), numbers);
    const spoken = make("div", { class: "spoken", "aria-live": "polite" });
    const canvas = make("canvas", { tabindex: 0, role: "img",
        "aria-label": `${part.title}. ${part.text || ""} Arrow keys go through the points; the table below holds all numbers.` });
    const hidden = new Set();
    const kept = keepChart((colors) => newChart(canvas, part, colors, hidden));
    walkable(canvas, kept, part, spoken);
    const bars = [legend(part, hidden, kept), make("div", { class: "canvas" }, canvas), spoken];
    return frame(part, bars, numbers, part.labels && part.labels.length > 24);
}
