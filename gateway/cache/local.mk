noinst_LIBRARIES += gateway/cache/libcache.a
gateway_cache_libcache_a_SOURCES = \
	gateway/cache/body.c \
	gateway/cache/control.c gateway/cache/control.h \
	gateway/cache/date.c gateway/cache/date.h \
	gateway/cache/dictionary.c gateway/cache/dictionary.h \
	gateway/cache/flight.c \
	gateway/cache/freshness.c gateway/cache/freshness.h \
	gateway/cache/heap.c gateway/cache/heap.h \
	gateway/cache/key.c gateway/cache/key.h \
	gateway/cache/list.c gateway/cache/list.h \
	gateway/cache/marks.c \
	gateway/cache/object.c gateway/cache/object.h gateway/cache/object_inside.h \
	gateway/cache/purge.c \
	gateway/cache/queues.c \
	gateway/cache/range.c gateway/cache/range.h \
	gateway/cache/shard.h \
	gateway/cache/status.c gateway/cache/status.h \
	gateway/cache/store.c gateway/cache/store.h gateway/cache/store_inside.h \
	gateway/cache/table.c \
	gateway/cache/validate.c gateway/cache/validate.h \
	gateway/cache/vary.c gateway/cache/vary.h \
	gateway/cache/wait.c

if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/test_cache_body \
	tests/unit/test_cache_control \
	tests/unit/test_cache_date \
	tests/unit/test_cache_flight \
	tests/unit/test_cache_freshness \
	tests/unit/test_cache_heap \
	tests/unit/test_cache_key \
	tests/unit/test_cache_range \
	tests/unit/test_cache_status \
	tests/unit/test_cache_store \
	tests/unit/test_cache_validate \
	tests/unit/test_cache_vary
CACHE_TEST_LIBS = gateway/cache/libcache.a gateway/http/libhttp.a \
	gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_cache_control_SOURCES = tests/unit/test_cache_control.c tests/unit/cache_rig.h
tests_unit_test_cache_control_LDADD = $(CACHE_TEST_LIBS)
tests_unit_test_cache_date_SOURCES = tests/unit/test_cache_date.c
tests_unit_test_cache_date_LDADD = $(CACHE_TEST_LIBS)
tests_unit_test_cache_freshness_SOURCES = tests/unit/test_cache_freshness.c tests/unit/cache_rig.h
tests_unit_test_cache_freshness_LDADD = $(CACHE_TEST_LIBS)
tests_unit_test_cache_key_SOURCES = tests/unit/test_cache_key.c tests/unit/cache_rig.h
tests_unit_test_cache_key_LDADD = $(CACHE_TEST_LIBS)
tests_unit_test_cache_range_SOURCES = tests/unit/test_cache_range.c tests/unit/cache_rig.h
tests_unit_test_cache_range_LDADD = $(CACHE_TEST_LIBS)
tests_unit_test_cache_status_SOURCES = tests/unit/test_cache_status.c
tests_unit_test_cache_status_LDADD = $(CACHE_TEST_LIBS)
CACHE_STORE_LIBS = gateway/cache/libcache.a gateway/http/libhttp.a \
	gateway/loop/libloop.a gateway/base/libbase.a $(EV_LIBS) $(CMOCKA_LIBS)
tests_unit_test_cache_body_SOURCES = tests/unit/test_cache_body.c \
	tests/unit/store_rig.h tests/unit/cache_rig.h
tests_unit_test_cache_body_LDADD = $(CACHE_STORE_LIBS)
tests_unit_test_cache_flight_SOURCES = tests/unit/test_cache_flight.c \
	tests/unit/store_rig.h tests/unit/cache_rig.h
tests_unit_test_cache_flight_LDADD = $(CACHE_STORE_LIBS)
tests_unit_test_cache_heap_SOURCES = tests/unit/test_cache_heap.c
tests_unit_test_cache_heap_LDADD = $(CACHE_STORE_LIBS)
tests_unit_test_cache_store_SOURCES = tests/unit/test_cache_store.c \
	tests/unit/store_rig.h tests/unit/cache_rig.h
tests_unit_test_cache_store_LDADD = $(CACHE_STORE_LIBS)
tests_unit_test_cache_validate_SOURCES = tests/unit/test_cache_validate.c tests/unit/cache_rig.h
tests_unit_test_cache_validate_LDADD = $(CACHE_TEST_LIBS)
tests_unit_test_cache_vary_SOURCES = tests/unit/test_cache_vary.c tests/unit/cache_rig.h
tests_unit_test_cache_vary_LDADD = $(CACHE_TEST_LIBS)
# Not built by default: make tests/bench/bench_cache
EXTRA_PROGRAMS += tests/bench/bench_cache
tests_bench_bench_cache_SOURCES = tests/bench/bench_cache.c tests/unit/store_rig.h \
	tests/unit/cache_rig.h
tests_bench_bench_cache_LDADD = gateway/cache/libcache.a gateway/http/libhttp.a \
	gateway/loop/libloop.a gateway/base/libbase.a $(ALLOCATOR_LIBS) $(EV_LIBS) -lm
endif
