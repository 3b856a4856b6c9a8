noinst_LIBRARIES += gateway/loop/libloop.a
gateway_loop_libloop_a_SOURCES = \
	gateway/loop/jobs.c gateway/loop/jobs.h \
	gateway/loop/loop.c gateway/loop/loop.h \
	gateway/loop/stream.c gateway/loop/stream.h
