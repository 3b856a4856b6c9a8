noinst_LIBRARIES += gateway/tls/libtls.a
gateway_tls_libtls_a_SOURCES = \
	gateway/tls/certificate.c \
	gateway/tls/client.c \
	gateway/tls/common.c \
	gateway/tls/internal.h \
	gateway/tls/ocsp.c \
	gateway/tls/selfsigned.c \
	gateway/tls/server.c \
	gateway/tls/sni.c \
	gateway/tls/stream.c \
	gateway/tls/ticket.c \
	gateway/tls/tls.h \
	gateway/tls/trust.c \
	gateway/tls/trust.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_tls_certificate tests/unit/test_tls_resume \
	tests/unit/test_tls_stream tests/unit/test_tls_trust
endif
TLS_LAB = tests/unit/tls_lab.c tests/unit/tls_lab.h
TLS_TEST_LIBS = gateway/tls/libtls.a gateway/loop/libloop.a gateway/base/libbase.a \
	$(OPENSSL_LIBS) $(EV_LIBS) $(CMOCKA_LIBS)
tests_unit_test_tls_certificate_SOURCES = tests/unit/test_tls_certificate.c $(TLS_LAB)
tests_unit_test_tls_certificate_LDADD = $(TLS_TEST_LIBS)
tests_unit_test_tls_stream_SOURCES = tests/unit/test_tls_stream.c $(TLS_LAB)
tests_unit_test_tls_stream_LDADD = $(TLS_TEST_LIBS)
tests_unit_test_tls_resume_SOURCES = tests/unit/test_tls_resume.c $(TLS_LAB)
tests_unit_test_tls_resume_LDADD = $(TLS_TEST_LIBS)
tests_unit_test_tls_trust_SOURCES = tests/unit/test_tls_trust.c $(TLS_LAB)
tests_unit_test_tls_trust_LDADD = $(TLS_TEST_LIBS)
