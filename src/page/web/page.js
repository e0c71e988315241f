// The parts of the page, in their order.

function codePart(part) {
    const text = part.code;
    const code = make("pre", { tabindex: 0, class: part.json ? null : "wrap" }, make("code", null, text));
    const copy = make("button", { class: "copy", type: "button", click: () => copyText(text, copy) }, "copy");
    return make("div", { class: "code" }, part.title ? make("h3", null, part.title) : null, code, copy);
}

// The clipboard is not there for every page that comes from a file; a selection always is.
function copyText(text, button) {
    const done = () => {
        button.textContent = "copied";
        setTimeout(() => { button.textContent = "copy"; }, 1500);
    };
    const select = () => getSelection().selectAllChildren(button.parentNode.querySelector("code"));
    if (!navigator.clipboard) select();
    else navigator.clipboard.writeText(text).then(done, select);
}

function noticePart(part) {
    const mark = { good: "✓ ", caution: "! ", bad: "✕ ", plain: "" }[part.tone];
    const label = part.label ? make("span", { class: "label" }, mark + part.label) : null;
    const beside = part.title ? make("span", { class: "title" }, part.label ? ` · ${part.title}` : part.title) : null;
    return make("div", { class: `notice ${part.tone}${part.large ? " large" : ""}` },
        label || beside ? make("p", null, label, beside) : null,
        prose(part.text), prose(part.more, { class: "more" }),
        part.code ? codePart({ code: part.code }) : null);
}

function factsPart(part) {
    return make("dl", { class: "facts" }, part.facts.map((fact) =>
        make("div", null, make("dt", null, fact.name),
            make("dd", { title: finite(fact.value) ? fact.value : null, class: finite(fact.value) ? null : "word" }, format(fact.value),
                fact.text ? make("small", null, fact.text) : null))));
}

const makers = {
    text: (part) => prose(part.text), code: codePart, notice: noticePart, facts: factsPart, table: tablePart,
    plot: plotPart, histograms: histogramsPart, heat: heatPart, pictures: picturesPart,
};
const isPlot = (part) => ["plot", "histograms", "heat"].includes(part.kind);

function build() {
    const main = document.getElementById("main"), contents = document.getElementById("contents");
    let place = main, plots = null;
    for (const part of page.parts) {
        if (!isPlot(part)) plots = null;
        if (part.kind === "section") {
            const id = newId("section");
            place = make("section", { "aria-labelledby": id }, make("h2", { id }, part.title), prose(part.text));
            main.append(place);
            contents.append(make("a", { href: `#${id}` }, part.title));
            continue;
        }
        if (isPlot(part) && !plots) {
            plots = make("div", { class: "plots" });
            place.append(plots);
        }
        (plots || place).append(makers[part.kind](part));
    }
    document.title = page.above ? `${page.title} – ${page.above}` : page.title;
    document.getElementById("title").textContent = page.title;
    document.getElementById("above").textContent = page.above || "";
    document.getElementById("version").textContent = `fanin ${page.version}`;
    document.getElementById("chart-version").textContent = `Chart.js ${Chart.version}`;
}

Object.assign(Chart.defaults.font, { family: getComputedStyle(document.body).fontFamily, size: 12.5 });
build();
redrawAll();
document.documentElement.dataset.state = "drawn";
