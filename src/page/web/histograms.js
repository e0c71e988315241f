// Histograms: small ones of all, one of them large.

const chosen = []; // told of each choice: (name, from)

// The small picture; its scale is its own.
function sketch(histogram, log) {
    const height = (count) => (log ? Math.log1p(count) : count);
    const top = most(histogram.counts.map(height)), n = histogram.counts.length;
    const path = histogram.counts.map((count, k) => `V${40 - (38 * height(count)) / top}H${k + 1}`).join("");
    return draw("svg", { viewBox: `0 0 ${n} 40`, preserveAspectRatio: "none", "aria-hidden": "true" },
        draw("path", { d: `M0 40${path}V40Z` }));
}
const rangeOf = (h) => `${format(h.low, 2)} … ${format(h.high, 2)}`;

function largeChart(canvas, part, histogram, log, colors) {
    const width = (histogram.high - histogram.low) / histogram.counts.length;
    const data = histogram.counts.map((count, k) => ({ x: histogram.low + (k + 0.5) * width, y: count, k }));
    const x = axisFor(part.x_title, false, [histogram.low, histogram.high], colors);
    const y = axisFor("count", log, histogram.counts, colors);
    y.min = log ? 0.7 : 0;
    return new Chart(canvas, {
        type: "bar",
        data: { datasets: [{ label: histogram.name, data, backgroundColor: colors.series[0], barPercentage: 1,
            categoryPercentage: 1, borderWidth: 0 }] },
        options: {
            animation: false, responsive: true, maintainAspectRatio: false, parsing: false,
            interaction: { mode: "nearest", axis: "x", intersect: false },
            scales: {
                x: { ...x, offset: false, grid: { ...x.grid, offset: false }, min: histogram.low, max: histogram.high, ticks: { ...x.ticks, maxRotation: 0, maxTicksLimit: 8 } },
                y,
            },
            plugins: {
                legend: { display: false },
                tooltip: { callbacks: {
                    title: ([{ raw }]) => `${format(histogram.low + raw.k * width)} to ${format(histogram.low + (raw.k + 1) * width)}`,
                    label: ({ raw }) => `count ${raw.y}`,
                } },
            },
        },
    });
}

function histogramsPart(part) {
    const some = part.histograms.filter((h) => h.counts.some((count) => count > 0));
    const bins = Math.max(0, ...some.map((h) => h.counts.length));
    const numbers = () => ({
        columns: ["", "low", "high", ...Array.from({ length: bins }, (_, k) => `bin ${k + 1}`)],
        rows: some.map((h) => [[h.name], h.low, h.high, ...h.counts]),
    });
    if (some.length === 0) return frame(part, emptyPlot(), numbers);

    let current = some[0], log = false;
    const canvas = make("canvas", { role: "img" });
    const kept = keepChart((colors) => largeChart(canvas, part, current, log, colors));
    const select = make("select", { change: () => tell(some[select.selectedIndex]) },
        some.map((h) => make("option", null, h.name)));
    const grid = make("div", { class: "small-ones" });
    const buttons = some.map((h) => make("button", { type: "button", title: h.name, click: () => tell(h) },
        sketch(h, log), make("span", null, h.name), make("span", { class: "range" }, rangeOf(h))));
    grid.append(...buttons);

    function choose(histogram) {
        current = histogram;
        select.selectedIndex = some.indexOf(histogram);
        buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(some[i] === histogram)));
        canvas.setAttribute("aria-label", `${part.title}: ${histogram.name}, from ${rangeOf(histogram)}`);
        if (kept.now) kept.redraw();
    }
    function tell(histogram) {
        choose(histogram);
        chosen.forEach((listen) => listen(histogram.name, part));
    }
    chosen.push((name, from) => {
        const same = from !== part && some.find((h) => h.name === name);
        if (same) choose(same);
    });
    const logBox = make("input", { type: "checkbox", change: () => {
        log = logBox.checked;
        buttons.forEach((button, i) => button.firstChild.replaceWith(sketch(some[i], log)));
        kept.redraw();
    } });
    choose(current);
    const tools = make("div", { class: "tools" }, make("label", null, "show", select), make("label", null, logBox, "logarithmic counts"));
    return frame(part, [some.length > 1 ? tools : null, make("div", { class: "canvas" }, canvas), some.length > 1 ? grid : null], numbers);
}
