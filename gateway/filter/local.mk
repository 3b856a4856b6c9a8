noinst_LIBRARIES += gateway/filter/libfilter.a
gateway_filter_libfilter_a_SOURCES = \
	gateway/filter/mask.h \
	gateway/filter/mask.c \
	gateway/filter/pages.h \
	gateway/filter/pages.c \
	gateway/filter/scan.h \
	gateway/filter/scan.c

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_mask tests/unit/test_pages
FILTER_TEST_LIBS = gateway/filter/libfilter.a gateway/base/libbase.a $(CMOCKA_LIBS)
tests_unit_test_mask_SOURCES = tests/unit/test_mask.c
tests_unit_test_mask_LDADD = $(FILTER_TEST_LIBS)
tests_unit_test_pages_SOURCES = tests/unit/test_pages.c
tests_unit_test_pages_LDADD = $(FILTER_TEST_LIBS) $(JANSSON_LIBS)
endif
