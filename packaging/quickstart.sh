#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is needed, builds Yett, puts it in front of a small demo shop and
# shows what it does with a clean request, an attack, a flood and a ban.
#
# usage: packaging/quickstart.sh [--once]
#   --once  stop everything after the demonstration (also without a terminal);
#           otherwise the gateway keeps running until Ctrl-C
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/build/quickstart
state=$build/state
socket=$state/control.sock
yett=$build/yett
once=no
started=()
bold='' plain=''
[ ! -t 1 ] || { bold=$'\033[1m' plain=$'\033[0m'; }

# shellcheck source=packaging/packages.sh
. "$top/packaging/packages.sh"

case ${1:-} in
"") [ -t 0 ] || once=yes ;;
--once) once=yes ;;
-h | --help) sed -n '3,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
*) echo "quickstart.sh: found \"$1\"; allowed: --once" >&2; exit 2 ;;
esac

say()
{
	printf '\n%s== %s%s\n' "$bold" "$*" "$plain"
}

fail()
{
	printf '\nquickstart.sh: FAILED: %s\n' "$*" >&2
	exit 1
}

cleanup()
{
	local status=$? pid

	trap - EXIT
	for pid in "${started[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in "${started[@]}"; do
		for _ in $(seq 100); do
			kill -0 "$pid" 2>/dev/null || continue 2
			sleep 0.1
		done
		echo "quickstart.sh: process $pid does not end; killing it" >&2
		kill -KILL "$pid" 2>/dev/null || true
	done
	exit "$status"
}
trap cleanup EXIT
trap 'echo; echo "Stopping."; exit 0' INT TERM

# port WANTED: prints it where it is free, else any that is
port()
{
	/usr/bin/python3 - "$1" <<'PY'
import socket
import sys
for wanted in (int(sys.argv[1]), 0):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind(("127.0.0.1", wanted))
    except OSError:
        continue
    print(s.getsockname()[1])
    break
PY
}

# show COMMAND...: prints it as one would type it, then runs it
show()
{
	printf '\n$'
	printf ' %q' "$@"
	printf '\n'
	"$@"
}

# request QUERY: prints the answer's status and keeps its page and fields
request()
{
	printf '\n$ curl -ki -G %s/items --data-urlencode %s\n' "$url" "$(printf %q "$1")"
	status=$(curl -sk --max-time 10 -o "$state/page" -D "$state/fields" -w '%{http_code}' \
	    -G "$url/items" -H 'Accept: text/html' --data-urlencode "$1") ||
		fail "no answer from $url; see $state/yett.log"
	printf '%s' "$(head -n 1 "$state/fields")" | tr -d '\r'
	echo
}

say "1. Packages"
# shellcheck disable=SC2086,SC2154 # lists of words, set by packages.sh
packages_install $packages_build $packages_demo || fail "installing packages"

say "2. Building Yett in build/quickstart"
if [ ! -e "$build/Makefile" ]; then
	(cd "$top" && { ./autogen.sh >/dev/null 2>&1 || ./autogen.sh; }) || fail "autogen.sh"
	mkdir -p "$build"
	(cd "$build" && "$top/configure" --quiet) || fail "configure; see $build/config.log"
fi
make --no-print-directory -C "$build" -j"$(nproc)" yett || fail "the build"
"$yett" version || fail "$yett does not run"

say "3. Starting the demo shop and Yett in front of it"
mkdir -p "$state"
: >"$state/app.port"
/usr/bin/python3 "$top/packaging/demo/app.py" >"$state/app.port" 2>"$state/app.log" &
app=$!
started+=("$app")
for _ in $(seq 100); do
	[ ! -s "$state/app.port" ] || break
	kill -0 "$app" 2>/dev/null || { cat "$state/app.log" >&2; fail "the demo shop ended"; }
	sleep 0.1
done
origin=http://127.0.0.1:$(cat "$state/app.port")
listen=127.0.0.1:$(port 8443)
url=https://localhost:${listen#*:}

printf '\n$ yett run --protect %s --listen %s --state %s\n' "$origin" "$listen" "$state"
"$yett" run --protect "$origin" --listen "$listen" --state "$state" \
    </dev/null >"$state/yett.log" 2>&1 &
gateway=$!
started+=("$gateway")
for _ in $(seq 150); do
	! curl -sk --max-time 2 -o /dev/null "$url/" || break
	kill -0 "$gateway" 2>/dev/null || { cat "$state/yett.log" >&2; fail "yett ended"; }
	sleep 0.1
done
cat "$state/yett.log"

say "4. A clean request passes"
request "id=1"
[ "$status" = 200 ] || fail "a clean request got $status instead of 200"
sed -n 's/.*<li>\(.*\)<\/li>.*/  the page lists: \1/p' "$state/page"

say "5. An SQL injection: what the shop would answer, and what Yett answers"
attack="id=1' OR 1=1--"
printf '\n$ curl -G %s/items --data-urlencode %q      (past Yett)\n' "$origin" "$attack"
curl -s --max-time 10 -G "$origin/items" --data-urlencode "$attack" |
	grep -o '<li>[^<]*' | sed 's/<li>/  leaked: /' || fail "the demo shop does not answer"
request "$attack"
[ "$status" = 403 ] || fail "the attack got $status instead of 403"
for _ in $(seq 50); do
	record=$(grep -s '"reason":"waf"' "$state/audit.log" | tail -n 1) || true
	id=$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' <<<"${record%%\"reason\"*}")
	[ -z "$id" ] || ! grep -qF "$id" "$state/page" || break
	id=
	sleep 0.1
done
[ -n "$id" ] || fail "the refusal's record is not in $state/audit.log"
echo "  the client sees request id $id and no detail"

say "6. Its audit record"
/usr/bin/python3 -m json.tool --no-ensure-ascii <<<"$record" || fail "the record is not JSON"

say "7. Why it was refused"
show "$yett" explain "$id" --audit "$state/audit.log" || fail "yett explain"

say "8. A flood: six hundred requests at once"
# --protect lets a client have 100 requests/s, and 200 at once
flood="$url/?flood=[1-600]"
printf '\n$ curl -sk --parallel -o /dev/null -w "%%{http_code}\\n" "%s" | sort | uniq -c\n' "$flood"
began=$SECONDS
curl -sk --parallel --parallel-max 20 --max-time 60 -o /dev/null \
    -w '%{http_code} %header{retry-after} %header{x-request-id}\n' "$flood" \
    >"$state/flood" 2>/dev/null || fail "curl could not send them all; see $state/yett.log"
cut -d ' ' -f 1 "$state/flood" | sort | uniq -c
grep -q '^200' "$state/flood" || fail "none of the requests passed"
if read -r _ wait id < <(grep '^429' "$state/flood" | tail -n 1); then
	case $wait in
	"" | 0 | *[!0-9]*) fail "Retry-After of a 429 is \"$wait\"" ;;
	esac
	[ -n "$id" ] || fail "a 429 without X-Request-Id"
	echo "  429: over the limit, with Retry-After: $wait"
	for _ in $(seq 50); do
		! grep -qsF "$id" "$state/audit.log" || break
		sleep 0.1
	done
	show "$yett" explain "$id" --audit "$state/audit.log" || fail "yett explain"
else
	# 200 at once and 100 more each second
	[ $((SECONDS - began)) -ge 3 ] || fail "none of the requests got 429"
	echo "  they took $((SECONDS - began)) s: too few a second, on this machine and now, to be"
	echo "  over the limit"
fi

say "9. How the gateway is"
show "$yett" status --socket "$socket" >"$state/status" || fail "yett status"
cat "$state/status"
grep -q '^per-client ' "$state/status" || fail "yett status does not know the limit"

say "10. A ban by hand, and its end"
show "$yett" ban add 127.0.0.1 --for 10m --reason "trying it out" --socket "$socket" ||
	fail "yett ban add"
request "id=1"
[ "$status" = 403 ] || fail "a banned client got $status instead of 403"
show "$yett" ban list --socket "$socket" >"$state/bans" || fail "yett ban list"
cat "$state/bans"
grep -q '^127\.0\.0\.1 .*trying it out' "$state/bans" || fail "the ban is not in the list"
show "$yett" ban lift 127.0.0.1 --socket "$socket" || fail "yett ban lift"
request "id=1"
[ "$status" = 200 ] || fail "a client whose ban was lifted got $status instead of 200"

if [ "$once" = yes ]; then
	say "All steps worked; stopping the gateway and the shop."
	exit 0
fi

say "Now it is your turn"
cat <<END
  browser      $url/   (the certificate is self-signed: accept it)
  attack       curl -k '$url/search?q=<script>alert(1)</script>'
  flood        curl -sk --parallel -o /dev/null -w '%{http_code}\n' '$flood' | sort | uniq -c
  records      tail -f $state/audit.log
  why          $yett explain last --audit $state/audit.log
  how it is    $yett status --socket $socket
  bans         $yett ban add ADDRESS --for 10m --socket $socket
               $yett ban list --socket $socket
               $yett ban lift ADDRESS --socket $socket
  your app     $yett run --protect http://127.0.0.1:PORT --listen 0.0.0.0:8443
  next         docs/guide/index.md

Ctrl-C stops everything.
END
wait "$gateway" || fail "yett ended by itself; see $state/yett.log"
