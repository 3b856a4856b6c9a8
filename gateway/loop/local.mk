noinst_LIBRARIES += gateway/loop/libloop.a
gateway_loop_libloop_a_SOURCES = \
	gateway/loop/jobs.c gateway/loop/jobs.h \
	gateway/loop/loop.c gateway/loop/loop.h \
	gateway/loop/stream.c gateway/loop/stream.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_loop tests/unit/test_jobs tests/unit/test_stream
LOOP_TEST_LIBS = gateway/loop/libloop.a gateway/base/libbase.a $(EV_LIBS) $(CMOCKA_LIBS)
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c
tests_unit_test_loop_LDADD = $(LOOP_TEST_LIBS)
tests_unit_test_jobs_SOURCES = tests/unit/test_jobs.c
tests_unit_test_jobs_LDADD = $(LOOP_TEST_LIBS)
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c
tests_unit_test_stream_LDADD = $(LOOP_TEST_LIBS)
endif
