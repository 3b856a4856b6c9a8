# packaging: installing, running and checking on Debian
EXTRA_DIST += packaging/packages.sh packaging/check.sh packaging/tally.py .ci/run
