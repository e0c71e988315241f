// A value for each pair, as colours: cividis, which looks nearly the same to all kinds of colour vision.

const ramp = [[0, 34, 78], [42, 63, 109], [87, 93, 109], [125, 124, 120], [165, 157, 117], [210, 193, 99], [254, 232, 56]];

function heatColor(share) {
    const at = Math.min(Math.max(share, 0), 1) * (ramp.length - 1), k = Math.min(Math.floor(at), ramp.length - 2);
    return ramp[k].map((low, c) => Math.round(low + (at - k) * (ramp[k + 1][c] - low)));
}
const css = (rgb) => `rgb(${rgb.join(" ")})`;

function rampPicture(low, high, title) {
    const bar = make("div", { class: "ramp" });
    bar.style.background = `linear-gradient(90deg, ${ramp.map(css).join(", ")})`;
    return make("div", { class: "tools told" }, title ? make("span", null, `${title}:`) : null, make("span", null, format(low, 3)), bar, format(high, 3));
}

// Beside a row's cells stands its name, below them the names of the columns. Everything has its place told, as what is
// placed by the browser would make way for the line over the map. Of many names some are left out.
function heatGrid(part, low, high) {
    const wide = part.columns.length, tall = part.rows.length, dense = wide > 30 || tall > 30;
    const turned = wide > 6 && part.columns.some((name) => name.length > 4);
    const height = dense ? Math.max(4, Math.round(400 / tall)) : 22;
    const grid = make("div", { class: dense ? "heat dense" : wide > 7 ? "heat many" : "heat", role: "img",
        "aria-label": `${part.title}. The table below holds all numbers.` });
    grid.style.gridTemplateColumns = `minmax(2rem, max-content) repeat(${wide}, minmax(0, 1fr))`;
    grid.style.gridTemplateRows = `repeat(${tall}, minmax(${height}px, auto))`;
    const place = (element, row, column) => {
        element.style.gridArea = `${row + 1} / ${column + 1}`;
        grid.append(element);
    };
    const everyRow = Math.ceil(15 / height), everyColumn = dense ? Math.ceil(wide / 12) : 1;
    part.rows.forEach((row, r) => {
        if (r % everyRow === 0) place(make("div", { class: "row" }, row), r, 0);
        part.columns.forEach((column, c) => {
            const value = part.values[r * wide + c];
            const cell = make("div", { class: "cell", title: `${column}, ${row}: ${format(value)}` });
            if (finite(value)) {
                const rgb = heatColor((value / 2 - low / 2) / (high / 2 - low / 2 || 1));
                cell.style.background = css(rgb);
                cell.style.color = rgb[1] > 120 ? "#000" : "#fff";
            }
            if (wide <= 12 && !dense) cell.append(format(value, 2));
            place(cell, r, c + 1);
        });
    });
    part.columns.forEach((name, c) => {
        if (c % everyColumn === 0) place(make("div", { class: turned ? "column turned" : "column" }, name), tall, c + 1);
    });
    if (part.boundary) grid.append(boundaryLine(part));
    return grid;
}

function boundaryLine(part) {
    const points = part.boundary.flatMap((row, c) => (finite(row) ? [`${c + 0.5},${row + 0.5}`] : [])).join(" ");
    const svg = draw("svg", { viewBox: `0 0 ${part.columns.length} ${part.rows.length}`, preserveAspectRatio: "none" },
        draw("polyline", { points }), draw("polyline", { points }));
    const box = make("div", { "aria-hidden": "true" }, svg);
    Object.assign(box.style, { gridArea: `1 / 2 / ${part.rows.length + 1} / -1`, overflow: "hidden", pointerEvents: "none", minHeight: 0, position: "relative" });
    Object.assign(svg.style, { position: "absolute", inset: 0 });
    return box;
}

function heatPart(part) {
    const known = part.values.filter(finite), low = least(known), high = most(known);
    const numbers = () => ({
        columns: [part.y_title || "", ...part.columns],
        rows: part.rows.map((row, r) => [[row], ...part.columns.map((_, c) => part.values[r * part.columns.length + c])]),
    });
    if (known.length === 0) return frame(part, emptyPlot(), numbers);
    const axes = make("div", { class: "tools told" }, `down: ${part.y_title || ""}; across: ${part.x_title || ""}`,
        part.boundary && part.boundary_title ? `; dashed line: ${part.boundary_title}` : "");
    return frame(part, [rampPicture(low, high, part.value_title), heatGrid(part, low, high), axes], numbers, part.columns.length > 16);
}
