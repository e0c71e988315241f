# SPDX-License-Identifier: Apache-2.0
# What a browser makes of a page: sourced behind lib.sh. need_browser ends the test where there is none; `look` asks that there
# is no message on the console, ink in every plot and a table behind it, and nothing wider than the window.
need_browser() {
    browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
    if [ -z "$browser" ] || [ -n "${FANIN_SANITIZE:-}" ]; then
        echo "browser: skipped, no Chromium or a sanitizer build"
        finish
    fi
    # Looks at the page after it is drawn: does not ask the page's own script.
    cat >probe <<'END'
<script>
addEventListener("load", () => setTimeout(() => {
    const inked = (canvas) => {
        const d = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        const shades = new Set();
        for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200) shades.add(`${d[i]},${d[i + 1]},${d[i + 2]}`);
        return shades.size > 3;
    };
    const figures = [...document.querySelectorAll("figure")], pictures = [...document.querySelectorAll(".pictures canvas")];
    const shown = (f) => { const c = f.querySelector("canvas"); return c ? inked(c) : f.querySelectorAll(".cell").length > 3; };
    document.querySelectorAll("details").forEach((d) => { d.open = true; });
    // tables are made when they are opened
    setTimeout(() => {
        const rows = figures.filter((f) => f.querySelectorAll("tbody tr").length > 0).length;
        const told = pictures.filter((c) => inked(c) && c.getAttribute("aria-label").startsWith("Sample ")).length;
        console.assert(!document.querySelector("img"), "markup from a name");
        parent.postMessage(`plots ${figures.length} shown ${figures.filter(shown).length} tables ${rows} pictures ${told} over ${
            Math.max(0, document.documentElement.scrollWidth - innerWidth)} wide ${innerWidth} state ${document.documentElement.dataset.state}`, "*");
    }, 200);
}, 300));
</script>
END
}

# look FILE WIDTH [PLOTS [PICTURES]]: without a number of plots there must be some.
look() {
    local plots=${3:-'([1-9][0-9]*)'} again=${3:-'\1'} sandbox=
    cat "$1" probe >probed.html
    # a window of Chromium is never narrower than 500 pixels; a frame is
    cat >frame.html <<END
<script>addEventListener("message", (event) => { document.documentElement.dataset.probe = event.data; });</script>
<iframe src="probed.html" style="width: ${2}px; height: 900px; border: 0"></iframe>
END
    [ "$(id -u)" != 0 ] || sandbox=--no-sandbox
    timeout 120 "$browser" --headless $sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$dir/profile" \
        --enable-logging=stderr --window-size=1400,1000 --virtual-time-budget=4000 --dump-dom \
        "file://$PWD/frame.html" >"$dir/out" 2>"$dir/err" || fail "$1: the browser failed"
    if grep -a ':CONSOLE' "$dir/err" >console; then fail "$1 at $2: $(head -n 3 console)"; fi
    grep -qE "data-probe=\"plots $plots shown $again tables $again pictures ${4:-0} over 0 wide $2 state drawn\"" "$dir/out" ||
        fail "$1 at $2: $(grep -oE 'data-probe="[^"]*"' "$dir/out" || echo nothing drawn)"
}
