# SPDX-License-Identifier: Apache-2.0
# Tables with embedded categories, from the recipe to predictions; residual nets whose branches are dropped.
. "$FANIN_SOURCE_DIR/tests/cli/lib.sh" || exit 1
recipes=$FANIN_SOURCE_DIR/examples/recipes
awk 'BEGIN { srand(3); print "age,city,kind,size,price"
    split("ulm bonn kiel rome oslo", city, " "); split("a b c", kind, " ")
    for (i = 0; i < 300; i++) { c = 1 + int(5 * rand()); k = 1 + int(3 * rand()); a = 100 * rand(); s = rand()
        printf "%.2f,%s,%s,%.3f,%.3f\n", a, city[c], kind[k], s, a / 2 + 20 * c + 10 * k * s } }' >homes.csv

# ---- the recipe takes columns and vocabularies from the data; index 0 starts at 0 and stands for what is unknown
done_with "$FANIN" train "$recipes/table.yaml" --set data.train=homes.csv --set train.epochs=20
says_like '^embedding1\.weight +lecun_normal '
done_with "$FANIN" info model.safetensors
says_like '^embedding1 +embedding +18 +80 '
printf 'size,kind,city,age\n0.5,a,ulm,10\n0.5,a,paris,10\n0.5,zz,oslo,10\n' >some.csv
done_with "$FANIN" predict model.safetensors some.csv
[ "$(wc -l <"$dir/out")" = 4 ] || fail "not one prediction a row"
[ "$(sort -u "$dir/out" | wc -l)" = 4 ] || fail "categories make no difference"
says_not nan
done_with "$FANIN" predict --mc 4 model.safetensors some.csv
says_not nan

# ---- what would go wrong silently is refused
refused 3 "input 1 (city) holds indexes, but no layer reads it as such" \
    "$FANIN" train "$recipes/table.yaml" --set data.train=homes.csv --set 'net=[{dense: outputs}]'
refused 3 "input 1 (city) holds indexes" \
    "$FANIN" train "$recipes/table.yaml" --set data.train=homes.csv --set net.embedding1.columns=2
refused 3 "is no index for embedding1, which takes whole numbers from 0 to 2" \
    "$FANIN" train "$recipes/table.yaml" --set data.train=homes.csv --set 'net.embedding1.vocabulary=[3,4]'
refused 3 "vocabulary is missing" "$FANIN" train --set 'net=[embedding, {dense: outputs}]'

# ---- branches that are dropped; the first epoch begins with branches that give nothing
done_with "$FANIN" train "$recipes/residual.yaml" --set train.epochs=2 --set net.branch1.rate=0.1 -o digits.safetensors
says_like '^scale1\.weight +zeros '
done_with "$FANIN" eval digits.safetensors
refused 3 "'rate' must be at least 0 and at most 1, not 1.1" \
    "$FANIN" train "$recipes/residual.yaml" --set net.branch1.rate=1.1
finish
