// Tables, and the frame that plots stand in with the table of their numbers behind them.

// rows: lists of numbers and texts ([text]); the first of each heads its row.
function makeTable(columns, rows, label) {
    const isWord = columns.map((_, c) => rows.some((row) => Array.isArray(row[c])));
    const cell = (value, c) =>
        c === 0
            ? make("th", { scope: "row" }, format(value))
            : make("td", { class: isWord[c] ? "word" : null, title: finite(value) ? value : null }, format(value));
    const head = make("tr", null, columns.map((name, c) =>
        make("th", { scope: "col", class: isWord[c] ? "word" : null }, name)));
    return make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
        make("table", null,
            make("thead", null, head),
            make("tbody", null, rows.map((row) => make("tr", null, row.map(cell))))));
}

function tablePart(part) {
    const title = part.title ? make("h3", null, part.title) : null;
    return make("div", { class: "tabled" }, title, makeTable(part.columns, part.rows, part.title || "Table"));
}

// A figure with its caption, what `content` holds, and the table of its numbers, which is made when it is first opened:
// pages of many plots would be mostly tables that nobody looks at. numbers() gives {columns, rows}.
function frame(part, content, numbers, wide) {
    const details = make("details", {
        toggle: () => {
            if (!details.open || details.querySelector("table")) return;
            const { columns, rows } = numbers();
            details.append(makeTable(columns, rows, `Numbers of: ${part.title}`));
        },
    }, make("summary", null, "Table of these numbers"));
    return make("figure", { class: wide ? "wide" : null, "data-kind": part.kind },
        make("figcaption", null, make("h3", null, part.title), prose(part.text)),
        content, details);
}

const emptyPlot = () => make("p", { class: "empty" }, "Nothing to draw: none of these figures is known.");
