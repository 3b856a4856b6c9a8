noinst_LIBRARIES += gateway/filter/libfilter.a
gateway_filter_libfilter_a_SOURCES = \
	gateway/filter/accept.h \
	gateway/filter/accept.c \
	gateway/filter/changes.h \
	gateway/filter/changes.c \
	gateway/filter/compress.h \
	gateway/filter/compress.c \
	gateway/filter/decode.h \
	gateway/filter/decode.c \
	gateway/filter/encoder.h \
	gateway/filter/encoder.c \
	gateway/filter/error_pages.h \
	gateway/filter/error_pages.c \
	gateway/filter/mask.h \
	gateway/filter/mask.c \
	gateway/filter/memory.h \
	gateway/filter/memory.c \
	gateway/filter/pages.h \
	gateway/filter/pages.c \
	gateway/filter/scan.h \
	gateway/filter/scan.c \
	gateway/filter/template.h \
	gateway/filter/template.c

CODING_LIBS = $(ZLIB_LIBS) $(BROTLI_LIBS) $(ZSTD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_accept tests/unit/test_changes \
	tests/unit/test_codings tests/unit/test_compress \
	tests/unit/test_error_pages tests/unit/test_mask \
	tests/unit/test_pages
FILTER_TEST_LIBS = gateway/filter/libfilter.a gateway/http/libhttp.a \
	gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_accept_SOURCES = tests/unit/test_accept.c
tests_unit_test_accept_LDADD = $(FILTER_TEST_LIBS)
tests_unit_test_changes_SOURCES = tests/unit/test_changes.c
tests_unit_test_changes_LDADD = $(FILTER_TEST_LIBS)
tests_unit_test_codings_SOURCES = tests/unit/test_codings.c
tests_unit_test_codings_LDADD = $(FILTER_TEST_LIBS) $(CODING_LIBS)
tests_unit_test_compress_SOURCES = tests/unit/test_compress.c
tests_unit_test_compress_LDADD = $(FILTER_TEST_LIBS) $(CODING_LIBS)
tests_unit_test_error_pages_SOURCES = tests/unit/test_error_pages.c
tests_unit_test_error_pages_LDADD = $(FILTER_TEST_LIBS)
tests_unit_test_mask_SOURCES = tests/unit/test_mask.c
tests_unit_test_mask_LDADD = $(FILTER_TEST_LIBS)
tests_unit_test_pages_SOURCES = tests/unit/test_pages.c
tests_unit_test_pages_LDADD = $(FILTER_TEST_LIBS) $(JANSSON_LIBS)
endif
