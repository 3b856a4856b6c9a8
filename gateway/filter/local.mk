noinst_LIBRARIES += gateway/filter/libfilter.a
gateway_filter_libfilter_a_SOURCES = gateway/filter/mask.h gateway/filter/pages.h 
