noinst_LIBRARIES += gateway/upstream/libupstream.a
gateway_upstream_libupstream_a_SOURCES = \
	gateway/upstream/balance.c gateway/upstream/balance.h \
	gateway/upstream/choose.c gateway/upstream/inside.h \
	gateway/upstream/kept.c gateway/upstream/queue.c \
	gateway/upstream/budget.c gateway/upstream/budget.h \
	gateway/upstream/checker.c gateway/upstream/checker.h \
	gateway/upstream/dial.c gateway/upstream/dial.h \
	gateway/upstream/dns.c gateway/upstream/dns.h \
	gateway/upstream/health.c gateway/upstream/health.h \
	gateway/upstream/hosts.c gateway/upstream/hosts.h \
	gateway/upstream/maglev.c gateway/upstream/maglev.h \
	gateway/upstream/outlier.c gateway/upstream/outlier.h \
	gateway/upstream/pool.c gateway/upstream/pool.h \
	gateway/upstream/pool_watch.c gateway/upstream/pool_watch.h \
	gateway/upstream/resolve.c gateway/upstream/resolve.h \
	gateway/upstream/resolved.c gateway/upstream/resolved.h \
	gateway/upstream/server.c gateway/upstream/server.h \
	gateway/upstream/set.c gateway/upstream/set.h \
	gateway/upstream/slow_start.c gateway/upstream/slow_start.h \
	gateway/upstream/sticky.c gateway/upstream/sticky.h \
	gateway/upstream/turns.c gateway/upstream/turns.h \
	gateway/upstream/upstream.c gateway/upstream/upstream.h \
	gateway/upstream/window.c gateway/upstream/window.h \
	gateway/upstream/mix.h

if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/test_balance \
	tests/unit/test_budget \
	tests/unit/test_checker \
	tests/unit/test_health \
	tests/unit/test_outlier \
	tests/unit/test_pool_watch \
	tests/unit/test_resolve \
	tests/unit/test_sticky \
	tests/unit/test_upstream \
	tests/unit/test_upstream_race
BALANCE_TEST_LIBS = gateway/upstream/libupstream.a gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_balance_SOURCES = tests/unit/test_balance.c
tests_unit_test_balance_LDADD = $(BALANCE_TEST_LIBS)
tests_unit_test_budget_SOURCES = tests/unit/test_budget.c
tests_unit_test_budget_LDADD = $(BALANCE_TEST_LIBS)
tests_unit_test_checker_SOURCES = tests/unit/test_checker.c $(TLS_LAB)
tests_unit_test_checker_LDADD = gateway/upstream/libupstream.a gateway/http/libhttp.a \
	$(TLS_TEST_LIBS)
tests_unit_test_health_SOURCES = tests/unit/test_health.c
tests_unit_test_health_LDADD = $(BALANCE_TEST_LIBS)
tests_unit_test_outlier_SOURCES = tests/unit/test_outlier.c
tests_unit_test_outlier_LDADD = $(BALANCE_TEST_LIBS)
tests_unit_test_pool_watch_SOURCES = tests/unit/test_pool_watch.c
tests_unit_test_pool_watch_LDADD = $(tests_unit_test_checker_LDADD) $(CARES_LIBS)
tests_unit_test_resolve_SOURCES = tests/unit/test_resolve.c tests/unit/dns_lab.c \
	tests/unit/dns_lab.h
tests_unit_test_resolve_LDADD = gateway/upstream/libupstream.a gateway/loop/libloop.a \
	gateway/base/libbase.a $(CARES_LIBS) $(EV_LIBS) $(CMOCKA_LIBS)
tests_unit_test_sticky_SOURCES = tests/unit/test_sticky.c
tests_unit_test_sticky_LDADD = $(BALANCE_TEST_LIBS)
tests_unit_test_upstream_SOURCES = tests/unit/test_upstream.c
tests_unit_test_upstream_LDADD = gateway/upstream/libupstream.a gateway/tls/libtls.a \
	gateway/loop/libloop.a gateway/base/libbase.a \
	$(CARES_LIBS) $(OPENSSL_LIBS) $(EV_LIBS) $(CMOCKA_LIBS)
tests_unit_test_upstream_race_SOURCES = tests/unit/test_upstream_race.c
tests_unit_test_upstream_race_LDADD = $(tests_unit_test_upstream_LDADD)
endif
