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
