# tests/system: the whole gateway from outside; see system.sh
check_SCRIPTS += tests/system/system.sh
# With -j the unit tests share the processors; this one wants them for itself. Named
# by a variable: automake leaves its own rule out where it sees another for the same.
system_log = tests/system/system.sh.log
$(system_log): $(check_PROGRAMS:=.log)
system_tests = \
	tests/system/conftest.py \
	tests/system/http_cache/__init__.py \
	tests/system/http_cache/client.mjs \
	tests/system/http_cache/origin.mjs \
	tests/system/http_cache/suite.py \
	tests/system/test_access.py \
	tests/system/test_admin.py \
	tests/system/test_balance.py \
	tests/system/test_bans.py \
	tests/system/test_bodies.py \
	tests/system/test_browser.py \
	tests/system/test_cache.py \
	tests/system/test_cache_memory.py \
	tests/system/test_cache_review.py \
	tests/system/test_check.py \
	tests/system/test_command.py \
	tests/system/test_compress.py \
	tests/system/test_core_review.py \
	tests/system/test_encoded_bodies.py \
	tests/system/test_error_pages.py \
	tests/system/test_explain.py \
	tests/system/test_forwarding.py \
	tests/system/test_geo.py \
	tests/system/test_headers.py \
	tests/system/test_health.py \
	tests/system/test_http_answers.py \
	tests/system/test_http_cache.py \
	tests/system/test_http_requests.py \
	tests/system/test_identity.py \
	tests/system/test_isolation.py \
	tests/system/test_limits.py \
	tests/system/test_names.py \
	tests/system/test_paths.py \
	tests/system/test_process.py \
	tests/system/test_random_answers.py \
	tests/system/test_redis_failures.py \
	tests/system/test_robust.py \
	tests/system/test_secrets.py \
	tests/system/test_streaming.py \
	tests/system/test_timers.py \
	tests/system/test_tls.py \
	tests/system/test_tools.py \
	tests/system/test_upstream.py \
	tests/system/test_waf.py \
	tests/system/yett_test/__init__.py \
	tests/system/yett_test/certs.py \
	tests/system/yett_test/client.py \
	tests/system/yett_test/dns.py \
	tests/system/yett_test/farm.py \
	tests/system/yett_test/gateway.py \
	tests/system/yett_test/load.py \
	tests/system/yett_test/mmdb.py \
	tests/system/yett_test/origin.py \
	tests/system/yett_test/redis.py \
	tests/system/yett_test/wait.py
EXTRA_DIST += $(system_tests) tests/system/system.sh tests/system/soak.py \
	tests/system/http_cache/package.json tests/system/http_cache/package-lock.json \
	tests/system/http_cache/table.py tests/system/http_cache/peers.py \
	tests/system/crs/fetch.py tests/system/crs/run.py \
	tests/system/crs/known-failures.txt tests/system/crs/refused-earlier.txt

# Only the system tests; then the rule set's own regression tests, and the long
# run, which are not part of `make check`. The flags go to each.
SYSTEM_FLAGS =
CRS_FLAGS =
SOAK_REQUESTS = 1000000
SOAK_FLAGS =
system_environment = top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)'

check-system: all
	$(system_environment) $(srcdir)/tests/system/system.sh $(SYSTEM_FLAGS)

check-crs: all
	$(system_environment) /usr/bin/python3 -B $(srcdir)/tests/system/crs/run.py $(CRS_FLAGS)

soak: all
	$(system_environment) /usr/bin/python3 -B $(srcdir)/tests/system/soak.py \
	    --requests $(SOAK_REQUESTS) $(SOAK_FLAGS)

# The public test suite of HTTP caches, beside other proxies: a table.
CACHE_SUITE_FLAGS =

cache-suite: all
	$(system_environment) /usr/bin/python3 -B $(srcdir)/tests/system/http_cache/table.py \
	    --json cache-suite.json $(CACHE_SUITE_FLAGS)

.PHONY: check-system check-crs soak cache-suite
