noinst_LIBRARIES += ratelimit/libratelimit.a
ratelimit_libratelimit_a_SOURCES = \
	ratelimit/breaker.h \
	ratelimit/breaker.c \
	ratelimit/bucket.h \
	ratelimit/bucket.c \
	ratelimit/heartbeat.h \
	ratelimit/internal.h \
	ratelimit/key.h \
	ratelimit/lease.h \
	ratelimit/lease.c \
	ratelimit/limiter.h \
	ratelimit/limiter.c \
	ratelimit/recover.c \
	ratelimit/status.c \
	ratelimit/table.h \
	ratelimit/trip.c \
	ratelimit/worker.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_lease
endif
tests_unit_test_lease_SOURCES = tests/unit/test_lease.c
tests_unit_test_lease_LDADD = ratelimit/libratelimit.a gateway/base/libbase.a $(CMOCKA_LIBS)
