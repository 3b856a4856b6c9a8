noinst_LIBRARIES += gateway/base/libbase.a
gateway_base_libbase_a_SOURCES = \
	gateway/base/arena.c gateway/base/arena.h \
	gateway/base/buf.c gateway/base/buf.h \
	gateway/base/check.h \
	gateway/base/check.c \
	gateway/base/clock.c gateway/base/clock.h \
	gateway/base/err.c gateway/base/err.h \
	gateway/base/hash.c gateway/base/hash.h \
	gateway/base/id.c gateway/base/id.h \
	gateway/base/json.c gateway/base/json.h \
	gateway/base/lock.c gateway/base/lock.h \
	gateway/base/log.c gateway/base/log.h \
	gateway/base/netaddr.c gateway/base/netaddr.h \
	gateway/base/span.c gateway/base/span.h \
	gateway/base/utf8.c gateway/base/utf8.h \
	gateway/base/watched.c gateway/base/watched.h

if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/test_arena \
	tests/unit/test_buf \
	tests/unit/test_clock \
	tests/unit/test_err \
	tests/unit/test_hash \
	tests/unit/test_id \
	tests/unit/test_json \
	tests/unit/test_lock \
	tests/unit/test_log \
	tests/unit/test_netaddr \
	tests/unit/test_span \
	tests/unit/test_utf8 \
	tests/unit/test_watched
tests_unit_test_arena_SOURCES = tests/unit/test_arena.c
tests_unit_test_arena_LDADD = gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_buf_SOURCES = tests/unit/test_buf.c
tests_unit_test_buf_LDADD = gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_clock_SOURCES = tests/unit/test_clock.c
tests_unit_test_clock_LDADD = gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_err_SOURCES = tests/unit/test_err.c
tests_unit_test_err_LDADD = gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_hash_SOURCES = tests/unit/test_hash.c
tests_unit_test_hash_LDADD = gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_id_SOURCES = tests/unit/test_id.c
tests_unit_test_id_LDADD = gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_json_SOURCES = tests/unit/test_json.c
tests_unit_test_json_LDADD = gateway/base/libbase.a $(JANSSON_LIBS) $(CMOCKA_LIBS)
tests_unit_test_lock_SOURCES = tests/unit/test_lock.c
tests_unit_test_lock_LDADD = gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_LDADD = gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_netaddr_SOURCES = tests/unit/test_netaddr.c
tests_unit_test_netaddr_LDADD = gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_span_SOURCES = tests/unit/test_span.c
tests_unit_test_span_LDADD = gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_utf8_SOURCES = tests/unit/test_utf8.c
tests_unit_test_utf8_LDADD = gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_watched_SOURCES = tests/unit/test_watched.c
tests_unit_test_watched_LDADD = gateway/base/libbase.a $(CMOCKA_LIBS)
endif
