#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes ./configure from configure.ac; needs autoconf, automake, autoconf-archive.
set -e
cd "$(dirname "$0")"
exec autoreconf --install --force --warnings=all
