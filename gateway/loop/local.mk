noinst_LIBRARIES += gateway/loop/libloop.a
gateway_loop_libloop_a_SOURCES = gateway/loop/jobs.h gateway/loop/loop.h gateway/loop/stream.h 
