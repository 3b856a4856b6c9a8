# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages that Yett needs, in one place. Sourced by the other
# scripts, which call packages_install with the lists that they need.

# shellcheck disable=SC2034 # used by the scripts that source this file
packages_build="autoconf automake autoconf-archive ca-certificates g++ gcc libc6-dev
	libcrypt-dev libev-dev libgoogle-perftools-dev libhiredis-dev libjansson-dev
	libmaxminddb-dev libmodsecurity-dev libpcre2-dev libssl-dev libyaml-dev make
	modsecurity-crs pkg-config"
# shellcheck disable=SC2034
packages_demo="curl openssl procps python3"
# shellcheck disable=SC2034
packages_test="apache2-utils binutils chromium chromium-driver curl dpkg-dev
	libcmocka-dev mmdb-bin nghttp2-client openssl procps python3 python3-maxminddb
	python3-pytest python3-redis python3-selenium python3-yaml redis-sentinel
	redis-server redis-tools wrk"
# shellcheck disable=SC2034
packages_ci="clang clang-format clang-tidy libmimalloc-dev mandoc pmccabe pyflakes3
	shellcheck"
# shellcheck disable=SC2034
packages_bench="haproxy libmimalloc-dev libnginx-mod-http-modsecurity nginx
	redis-server wrk"

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
	# RUNLEVEL=1 keeps the packages' own services from being started.
	export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
	apt-get -q update </dev/null || {
		echo "apt-get update failed: is there a network, and are the sources right?" >&2
		return 1
	}
	# shellcheck disable=SC2086 # a list of words
	apt-get -q install -y --no-install-recommends $missing </dev/null || {
		echo "apt-get install failed; see the lines above." >&2
		return 1
	}
}
