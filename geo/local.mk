noinst_LIBRARIES += geo/libgeo.a
geo_libgeo_a_SOURCES = \
	geo/continent.c geo/continent.h \
	geo/copy.c geo/copy.h \
	geo/db.c \
	geo/fields.c geo/fields.h \
	geo/geo.c geo/geo.h \
	geo/internal.h \
	geo/special.c geo/special.h \
	geo/tree.c \
	geo/value.c geo/value.h

if HAVE_CMOCKA
MMDB_MAKE = tests/unit/mmdb_make.c tests/unit/mmdb_make.h
check_PROGRAMS += \
	tests/unit/test_geo \
	tests/unit/test_geo_db
tests_unit_test_geo_SOURCES = tests/unit/test_geo.c $(MMDB_MAKE)
tests_unit_test_geo_LDADD = geo/libgeo.a gateway/base/libbase.a $(MAXMINDDB_LIBS) \
	$(CMOCKA_LIBS)
tests_unit_test_geo_db_SOURCES = tests/unit/test_geo_db.c $(MMDB_MAKE)
tests_unit_test_geo_db_LDADD = geo/libgeo.a gateway/base/libbase.a $(MAXMINDDB_LIBS) \
	$(CMOCKA_LIBS)
endif
