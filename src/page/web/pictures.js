// Small pictures with a caption each: grey or coloured bytes, painted pixel by pixel.

function paint(canvas, picture) {
    const bytes = Uint8Array.from(atob(picture.pixels), (c) => c.charCodeAt(0));
    const image = new ImageData(picture.width, picture.height);
    for (let i = 0; i < picture.width * picture.height; i++) {
        for (let c = 0; c < 3; c++) image.data[4 * i + c] = bytes[picture.channels === 3 ? 3 * i + c : i];
        image.data[4 * i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
}

function picture(one) {
    const canvas = make("canvas", { width: one.width, height: one.height, role: "img", "aria-label": one.alt });
    paint(canvas, one);
    return make("li", null, canvas, one.lines.map((line, i) => make("span", { class: i ? null : "first" }, line)));
}

function picturesPart(part) {
    return make("div", { class: "pictured" }, part.title ? make("h3", null, part.title) : null, prose(part.text),
        make("ul", { class: "pictures" }, part.pictures.map(picture)));
}
