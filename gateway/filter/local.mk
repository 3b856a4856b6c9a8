noinst_LIBRARIES += gateway/filter/libfilter.a
gateway_filter_libfilter_a_SOURCES = \
	gateway/filter/mask.h \
	gateway/filter/mask.c \
	gateway/filter/pages.h \
	gateway/filter/pages.c \
	gateway/filter/scan.h \
	gateway/filter/scan.c
