#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints C source that defines `const struct redis_script NAME` from FILE.lua:
# its bytes, unchanged, and their SHA-1, which is the name a server knows them by.
# Usage: embed.sh FILE.lua NAME
#
# In a folder's local.mk (the object is made from the generated file, so make
# knows the order; nothing generated is distributed, the .lua is):
#
#   nodist_ratelimit_libratelimit_a_SOURCES = ratelimit/take_lua.c
#   CLEANFILES += ratelimit/take_lua.c
#   EXTRA_DIST += ratelimit/take.lua
#   ratelimit/take_lua.c: ratelimit/take.lua gateway/redis/embed.sh
#   	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(SHELL) $(srcdir)/gateway/redis/embed.sh \
#   		$(srcdir)/ratelimit/take.lua ratelimit_take >$@.tmp && mv $@.tmp $@
#
# and in a header of that folder:
#
#   extern const struct redis_script ratelimit_take;
set -eu
LC_ALL=C
export LC_ALL

if [ $# -ne 2 ]; then
	echo "usage: $0 FILE.lua NAME" >&2
	exit 2
fi
file=$1
name=$2
case $name in
'' | [0-9]* | *[!A-Za-z0-9_]*)
	echo "$0: $name: not a C name" >&2
	exit 2
	;;
esac
sum=$(sha1sum <"$file")
sum=${sum%% *}

printf '/* Made from %s. */\n#include "config.h"\n\n' "${file##*/}"
printf '#include "gateway/redis/redis.h"\n\n'
printf 'extern const struct redis_script %s;\n' "$name"
printf 'const struct redis_script %s = {\n\t.sha1 = "%s",\n\t.source =\n' "$name" "$sum"
od -An -v -tu1 "$file" | awk '
function flush_line() { printf "\t    \"%s\"\n", line; line = "" }
BEGIN { for (i = 32; i < 127; i++) plain[i] = sprintf("%c", i)
	plain[34] = "\\\""; plain[63] = "\\?"; plain[92] = "\\\\"
	plain[9] = "\\t"; plain[10] = "\\n" }
{ for (f = 1; f <= NF; f++) {
	if ($f == 0) { bad = 1; exit 1 }
	line = line ($f in plain ? plain[$f] : sprintf("\\%03o", $f))
	if ($f == 10) flush_line()
} }
END { if (bad) { print "#error the script holds a NUL byte"; exit 1 } flush_line() }'
printf '};\n'
