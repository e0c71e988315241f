# SPDX-License-Identifier: Apache-2.0
# The lecture in two languages: the same commands in the same order, which name studies and records that there are, and links
# that lead somewhere.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1
cd "$FANIN_SOURCE_DIR/docs" || exit 1

# The code of a page: what stands in its blocks, without the $ of a prompt.
code() { awk '/^```/ { inside = !inside; next } inside' "$1"; }
commands() { code "$1" | grep -E '^\$ |^fanin ' | sed 's/^\$ //'; }
cmp -s <(code lecture.md) <(code lecture.ru.md) || fail "the code of the two differs: $(diff <(code lecture.md) <(code lecture.ru.md) | head -n 4)"
cmp -s <(grep -oE '[(]studies/[a-z-]+[.]md' lecture.md | sort) <(grep -oE '[(]studies/[a-z-]+[.]md' lecture.ru.md | sort) ||
    fail "the two point to different results"
n=0
while read -r line; do
    n=$((n + 1))
    for word in $line; do
        case $word in studies/*.yaml | examples/*.yaml) [ -f "../$word" ] || fail "there is no $word" ;; esac
    done
    case $line in
    "fanin help "*)
        "$FANIN" help "${line#fanin help }" >/dev/null 2>&1 || fail "'$line' fails"
        ;;
    "fanin study "*)
        file=$(echo "$line" | grep -oE 'studies/[a-z-]+[.]yaml')
        part=$(echo "$line" | sed -n 's/.*--part \([^ ]*\).*/\1/p')
        "$FANIN" study "../$file" ${part:+--part "$part"} --variant tiny --dry-run --dir "$dir" >"$dir/out" 2>&1 ||
            fail "'$line': $(cat "$dir/out")"
        ;;
    esac
done < <(commands lecture.md)
[ $n -ge 11 ] || fail "the lecture has $n commands"
for file in ../studies/*.yaml; do
    name=$(basename "$file" .yaml)
    grep -q "studies/$name.yaml" lecture.md || fail "the lecture does not run $name"
    grep -q "(studies/$name.md)" lecture.md || fail "the lecture does not show the results of $name"
    exists "studies/$name.md"
done
for page in lecture.md lecture.ru.md; do
    for link in $(grep -oE '\]\([^)#:]+' "$page" | sed 's/^](//'); do [ -e "$link" ] || fail "$page: $link is not there"; done
done
finish
