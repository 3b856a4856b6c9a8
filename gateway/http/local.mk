noinst_LIBRARIES += gateway/http/libhttp.a
gateway_http_libhttp_a_SOURCES = \
	gateway/http/authority.c \
	gateway/http/chars.c gateway/http/chars.h \
	gateway/http/fields.c gateway/http/fields.h \
	gateway/http/h1.h \
	gateway/http/h1_body.c \
	gateway/http/h1_framing.c gateway/http/h1_framing.h \
	gateway/http/h1_head.c \
	gateway/http/message.h \
	gateway/http/uri.c gateway/http/uri.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_h1_request
endif
tests_unit_test_h1_request_SOURCES = tests/unit/test_h1_request.c
tests_unit_test_h1_request_LDADD = gateway/http/libhttp.a gateway/base/libbase.a $(CMOCKA_LIBS)
