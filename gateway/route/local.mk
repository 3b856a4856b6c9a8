noinst_LIBRARIES += gateway/route/libroute.a
gateway_route_libroute_a_SOURCES = \
	gateway/route/paths.c gateway/route/paths.h \
	gateway/route/route.c gateway/route/route.h

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_route
endif
tests_unit_test_route_SOURCES = tests/unit/test_route.c
tests_unit_test_route_LDADD = gateway/route/libroute.a gateway/base/libbase.a \
	$(PCRE2_LIBS) $(CMOCKA_LIBS)
