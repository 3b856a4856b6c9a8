noinst_LIBRARIES += gateway/http/libhttp.a
gateway_http_libhttp_a_SOURCES = \
	gateway/http/authority.c \
	gateway/http/chars.c gateway/http/chars.h \
	gateway/http/fields.c gateway/http/fields.h \
	gateway/http/h1.h \
	gateway/http/h1_body.c \
	gateway/http/h1_framing.c gateway/http/h1_framing.h \
	gateway/http/h1_head.c \
	gateway/http/lone.c gateway/http/lone.h \
	gateway/http/message.h \
	gateway/http/uri.c gateway/http/uri.h \
	gateway/http/write.c gateway/http/write.h

if HAVE_CMOCKA
check_PROGRAMS += \
	tests/unit/test_fields \
	tests/unit/test_h1_body \
	tests/unit/test_h1_request \
	tests/unit/test_h1_response \
	tests/unit/test_uri
endif
HTTP_TEST_LIBS = gateway/http/libhttp.a gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_fields_SOURCES = tests/unit/test_fields.c
tests_unit_test_fields_LDADD = $(HTTP_TEST_LIBS)
tests_unit_test_h1_body_SOURCES = tests/unit/test_h1_body.c
tests_unit_test_h1_body_LDADD = $(HTTP_TEST_LIBS)
tests_unit_test_h1_request_SOURCES = tests/unit/test_h1_request.c
tests_unit_test_h1_request_LDADD = $(HTTP_TEST_LIBS)
tests_unit_test_h1_response_SOURCES = tests/unit/test_h1_response.c
tests_unit_test_h1_response_LDADD = $(HTTP_TEST_LIBS)
tests_unit_test_uri_SOURCES = tests/unit/test_uri.c
tests_unit_test_uri_LDADD = $(HTTP_TEST_LIBS)
