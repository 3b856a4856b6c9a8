# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages that Yett needs, in one place. Sourced by the other
# scripts, which call packages_install with the lists that they need.

# shellcheck disable=SC2034 # used by the scripts that source this file
packages_build="autoconf automake autoconf-archive ca-certificates g++ gcc libc6-dev
	libbrotli-dev libc-ares-dev libcrypt-dev libev-dev libgoogle-perftools-dev
	libhiredis-dev libjansson-dev libmaxminddb-dev libmodsecurity-dev libpcre2-dev
	libssl-dev libyaml-dev libzstd-dev make modsecurity-crs pkg-config zlib1g-dev"
# shellcheck disable=SC2034
packages_demo="curl openssl procps python3"
# shellcheck disable=SC2034
packages_test="apache2-utils binutils chromium chromium-driver curl dpkg-dev haproxy
	libcmocka-dev mmdb-bin nghttp2-client nginx openssl procps python3 python3-brotli
	python3-pytest python3-pytest-rerunfailures python3-selenium python3-yaml python3-zstandard redis-sentinel
	redis-server redis-tools wrk"
# npm brings the database of countries and the suite of HTTP caches; there are other ways
# to get it than Debian's.
command -v npm >/dev/null 2>&1 || packages_test="$packages_test npm"
# shellcheck disable=SC2034
packages_ci="clang clang-format clang-tidy libmimalloc-dev mandoc pmccabe pyflakes3
	shellcheck"
# shellcheck disable=SC2034
packages_bench="haproxy hitch libmimalloc-dev libnginx-mod-http-modsecurity nginx
	openssl redis-server varnish wrk"

# packages_missing PACKAGE...: prints those that are not installed
packages_missing()
{
	local package

	for package in "$@"; do
		case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
		"install ok installed") ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

# packages_install PACKAGE...: installs what is missing; asks the network for
# nothing when everything is there
packages_install()
{
	local missing

	missing=$(packages_missing "$@")
	if [ -z "$missing" ]; then
		echo "Packages: all $# are installed already."
		return 0
	fi
	echo "Packages to install with apt-get: $missing"
	if [ "$(id -u)" -ne 0 ]; then
		echo "Only root can install packages. As root: apt-get install $missing" >&2
		return 1
	fi
	(packages_bring "$missing")
}

# Brings packages and keeps the services among them from being started, now and at
# the next boot: the tests start programs of their own. Changes its shell's traps.
packages_bring()
{
	local policy=/usr/sbin/policy-rc.d unit new=

	for unit in haproxy hitch nginx redis-sentinel redis-server varnish varnishncsa; do
		[ -e "/lib/systemd/system/$unit.service" ] || new="$new $unit"
	done
	if [ ! -e "$policy" ]; then
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
		trap 'exit 130' INT TERM
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update </dev/null || {
		echo "apt-get update failed: is there a network, and are the sources right?" >&2
		return 1
	}
	# shellcheck disable=SC2086 # a list of words
	apt-get -q install -y --no-install-recommends $1 </dev/null || {
		echo "apt-get install failed; see the lines above." >&2
		return 1
	}
	command -v systemctl >/dev/null 2>&1 || return 0
	for unit in $new; do
		[ ! -e "/lib/systemd/system/$unit.service" ] ||
			systemctl --quiet disable "$unit" || return 1
	done
}
