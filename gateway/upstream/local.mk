noinst_LIBRARIES += gateway/upstream/libupstream.a
gateway_upstream_libupstream_a_SOURCES = \
	gateway/upstream/pool.h \
	gateway/upstream/pool.c \
	gateway/upstream/upstream.h \
	gateway/upstream/upstream.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_upstream
tests_unit_test_upstream_SOURCES = tests/unit/test_upstream.c
tests_unit_test_upstream_LDADD = gateway/upstream/libupstream.a gateway/tls/libtls.a \
	gateway/loop/libloop.a gateway/base/libbase.a \
	$(OPENSSL_LIBS) $(EV_LIBS) $(CMOCKA_LIBS)
endif
