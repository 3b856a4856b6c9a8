noinst_LIBRARIES += ratelimit/libratelimit.a
ratelimit_libratelimit_a_SOURCES = \
	ratelimit/bucket.h \
	ratelimit/heartbeat.h \
	ratelimit/limiter.h \
	ratelimit/table.h
