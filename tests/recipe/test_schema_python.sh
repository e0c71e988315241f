# SPDX-License-Identifier: Apache-2.0
# The schema of recipes before another validator: Python's jsonschema and PyYAML, where they are installed.
set -u
python3 -c 'import jsonschema, yaml; jsonschema.Draft202012Validator' 2>/dev/null || {
    echo "skipped: Python has no jsonschema and yaml"
    exit 77
}
"$FANIN" schema | python3 -c '
import glob, json, os, sys
import jsonschema, yaml
schema = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
files = glob.glob(os.environ["FANIN_SOURCE_DIR"] + "/examples/recipes/*.yaml")
assert len(files) >= 4
for name in files:
    validator.validate(yaml.safe_load(open(name)))
for bad in ({}, {"net": []}, {"net": ["dens"]}, {"net": ["dense"], "optim": {"sgd": {"lr": -1}}}, {"net": ["dense"], "los": "mse"}):
    assert not validator.is_valid(bad), bad
'
