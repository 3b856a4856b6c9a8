#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `yett check` accepts every example, full.yaml has every field, and the README shows
# the shortest one as it is.
set -euo pipefail
: "${top_srcdir:?set by make check}"
: "${top_builddir:?set by make check}"

folder=$(mktemp -d "${TMPDIR:-/tmp}/yett-examples.XXXXXX")
trap 'rm -rf "$folder"' EXIT
cp "$top_srcdir"/packaging/examples/*.yaml "$folder"
mkdir "$folder/tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
    -subj /CN=shop.example.com -keyout "$folder/tls/shop.key" -out "$folder/tls/shop.pem" \
    2>/dev/null
mkdir "$folder/secrets" "$folder/lists" "$folder/geo"
echo redis >"$folder/secrets/redis"
openssl rand -hex 32 >"$folder/secrets/keys"
echo "user:$(openssl passwd -6 password)" >"$folder/secrets/users"
echo 198.51.100.0/24 >"$folder/lists/bad.txt"
PYTHONPATH="$top_srcdir/tests/system/yett_test" /usr/bin/python3 -B - "$folder/geo" <<'END'
import sys
import mmdb

for name, kind, record in (("country", "GeoLite2-Country", mmdb.country("DE", "EU")),
                           ("asn", "GeoLite2-ASN", mmdb.network(64496, "example"))):
    with open(f"{sys.argv[1]}/{name}.mmdb", "wb") as f:
        f.write(mmdb.build({"8.8.0.0/16": record}, kind))
END

for example in "$folder"/*.yaml; do
	echo "yett check -c ${example##*/}"
	"$top_builddir/yett" check -c "$example"
done

/usr/bin/python3 -B "$top_srcdir/packaging/tests/fields.py" "$top_builddir/yett" \
    "$top_srcdir/packaging/examples/full.yaml"

# shellcheck disable=SC2016 # backquotes of Markdown
sed -n '/^```yaml$/,/^```$/p' "$top_srcdir/README.md" | sed '1d;$d' >"$folder/readme"
diff -u "$top_srcdir/packaging/examples/yett.yaml" "$folder/readme" || {
	echo "The configuration in README.md differs from packaging/examples/yett.yaml."
	exit 1
}
