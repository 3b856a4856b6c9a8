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
